"""psycopg 3: a list goes as the text of an array, its type unknown."""
import re

import psycopg
from protocol import failure, read, values, write

connection = psycopg.connect(read()["url"], autocommit=True)
write({"version": psycopg.__version__})
while call := read():
    try:
        row = connection.execute(re.sub(r"\$\d+", "%s", call["sql"]), values(call)).fetchone()
        write({"value": row[0]})
    except psycopg.Error as error:
        failure(error.sqlstate, error.diag.message_primary or str(error), error.diag.message_hint)
