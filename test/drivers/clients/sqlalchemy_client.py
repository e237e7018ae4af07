"""SQLAlchemy on psycopg 3: text() with named parameters; the types are the driver's."""
import re

import sqlalchemy
from protocol import failure, read, values, write

url = re.sub("^postgres(ql)?:", "postgresql+psycopg:", read()["url"])
connection = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT").connect()
write({"version": sqlalchemy.__version__})
while call := read():
    sql = re.sub(r"\$(\d+)", r":p\1", call["sql"].replace("::", r"\:\:"))
    try:
        given = {f"p{place}": value for place, value in enumerate(values(call), 1)}
        write({"value": connection.execute(sqlalchemy.text(sql), given).scalar()})
    except sqlalchemy.exc.DBAPIError as error:
        diag = error.orig.diag
        failure(error.orig.sqlstate, diag.message_primary or str(error), diag.message_hint)
