"""The suite's honest child in Python's standard library: it does what the texts say."""
import json
import os
import sys
import time

token = os.environ["TOKEN"]
ids = open(os.environ["LEAT_TEST_IDS"], "a", buffering=1, encoding="utf-8")


def say(**answer):
    print(json.dumps(answer), flush=True)


def answer_to(value):
    if isinstance(value, str):
        return {"text": value, "length": len(value.encode())}
    return value


for line in sys.stdin:
    request = json.loads(line)
    id, value = request["id"], request["value"]
    print(id, file=ids)
    order = value.split()[0] if isinstance(value, str) and value.strip() else ""
    if order in ("!poison", "!retriable", "!outage"):
        say(id=id, error="as ordered, " + token, **{"class": order[1:]})
    elif order == "!hang":
        while True:
            time.sleep(3600)
    elif order == "!die":
        raise RuntimeError("dying with " + token)
    elif order == "!garbage":
        print("loading weights with", token, flush=True)
    elif order == "!extra":
        say(id="another", result="one more")
        say(id=id, result=answer_to(value))
    elif order == "!null":
        say(id=id, result=None)
    else:
        say(id=id, result=answer_to(value))
