"""What the clients in Python have in common: a line of JSON in, a line of JSON out."""
import base64
import json
import sys


def read():
    """The next message, or None at the end."""
    line = sys.stdin.readline()
    return json.loads(line) if line else None


def write(message):
    print(json.dumps(message), flush=True)


def values(call):
    """The arguments as Python has them: str, list of str, bytes or None."""
    given = [next(iter(arg.items())) for arg in call["args"]]
    return [base64.b64decode(value) if kind == "bytes" else value for kind, value in given]


def failure(sqlstate, message, hint):
    write({"error": {"sqlstate": sqlstate, "message": message, "hint": hint}})
