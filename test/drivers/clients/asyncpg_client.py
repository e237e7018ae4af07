"""asyncpg: asks PostgreSQL for the types of the parameters, and refuses a value of another one itself."""
import asyncio

import asyncpg
from protocol import failure, read, values, write


async def main():
    connection = await asyncpg.connect(read()["url"])
    write({"version": asyncpg.__version__})
    while call := read():
        try:
            write({"value": await connection.fetchval(call["sql"], *values(call))})
        except asyncpg.PostgresError as error:
            failure(error.sqlstate, str(error).splitlines()[0], getattr(error, "hint", None))


asyncio.run(main())
