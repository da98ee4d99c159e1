"""A client under test: kafka-python, driven by lines on standard input.

    client.py produce BROKERS TOPIC CODEC IDEMPOTENT
    client.py consume BROKERS GROUP TOPIC,TOPIC... PROTOCOL ISOLATION

The lines are described in the Go package beside this folder (line.go).
"""

import base64
import sys
import threading

from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import CommitFailedError, KafkaError

WRITING = threading.Lock()


def say(*fields):
    with WRITING:
        sys.stdout.write("\t".join(str(f) for f in fields) + "\n")
        sys.stdout.flush()


def decode(field):
    return None if field == "-" else base64.b64decode(field)


def encode(data):
    return "-" if data is None else base64.b64encode(data).decode()


def decode_headers(field):
    pairs = (pair.split(":") for pair in field.split(",") if pair)
    return [(base64.b64decode(name).decode(), decode(value)) for name, value in pairs]


def encode_headers(headers):
    return ",".join(encode(name.encode()) + ":" + encode(value) for name, value in headers)


def produce(brokers, topic, codec, idempotent):
    options = {"acks": "all", "retries": 1000, "linger_ms": 5}
    if codec != "none":
        options["compression_type"] = codec
    if "enable_idempotence" in KafkaProducer.DEFAULT_CONFIG:
        options["enable_idempotence"] = idempotent == "true"
    producer = KafkaProducer(bootstrap_servers=brokers, **options)
    failures = []

    def failed(n, error):
        failures.append(error)
        say("failed", n, repr(error))

    for n, line in enumerate(sys.stdin):
        partition, time, key, value, headers = line.rstrip("\n").split("\t")
        future = producer.send(
            topic,
            value=decode(value),
            key=decode(key),
            headers=decode_headers(headers),
            partition=None if partition == "-" else int(partition),
            timestamp_ms=None if time == "-" else int(time),
        )
        future.add_callback(lambda ack, n=n: say("ack", n, ack.partition, ack.offset))
        future.add_errback(lambda error, n=n: failed(n, error))
    producer.flush()
    producer.close()
    if failures:
        sys.exit(f"{len(failures)} records failed, the first one with {failures[0]!r}")


def consume(brokers, group, topics, protocol="classic", isolation="read_uncommitted"):
    options = {}
    if "isolation_level" in KafkaConsumer.DEFAULT_CONFIG:
        options["isolation_level"] = isolation
    consumer = KafkaConsumer(
        *topics.split(","),
        bootstrap_servers=brokers,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=6000,
        heartbeat_interval_ms=500,
        **options,
    )
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    while not stop.is_set():
        for partition, records in consumer.poll(timeout_ms=200).items():
            for r in records:
                say(
                    "record", r.topic, r.partition, r.offset, r.timestamp,
                    encode(r.key), encode(r.value), encode_headers(r.headers),
                )  # fmt: skip
        commit(consumer)
    commit(consumer)
    consumer.close()


def commit(consumer):
    # A group that rebalances, or a broker that restarts, takes no commit just
    # now; the next one covers it.
    try:
        consumer.commit()
    except CommitFailedError as error:
        print("not committed:", error, file=sys.stderr)
    except KafkaError as error:
        if not getattr(error, "retriable", False):
            raise
        print("not committed:", error, file=sys.stderr)


if __name__ == "__main__":
    {"produce": produce, "consume": consume}[sys.argv[1]](*sys.argv[2:])
