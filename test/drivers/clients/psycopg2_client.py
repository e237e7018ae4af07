"""psycopg2: writes values into the statement itself; a list becomes ARRAY['…']."""
import re

import psycopg2
from protocol import failure, read, values, write

connection = psycopg2.connect(read()["url"])
connection.autocommit = True
write({"version": psycopg2.__version__.split()[0]})
while call := read():
    try:
        cursor = connection.cursor()
        cursor.execute(re.sub(r"\$\d+", "%s", call["sql"]), values(call))
        write({"value": cursor.fetchone()[0]})
    except psycopg2.Error as error:
        failure(error.pgcode, error.diag.message_primary or str(error), error.diag.message_hint)
