"""A client under test: kafka-python, driven by lines on standard input.

    client.py produce BROKERS TOPIC CODEC IDEMPOTENT
    client.py consume BROKERS GROUP TOPIC,TOPIC... PROTOCOL ISOLATION
    client.py transform BROKERS GROUP FROM TO TRANSACTIONAL_ID

The lines are described in the Go package beside this folder (line.go).
"""

import base64
import sys
import threading

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import CommitFailedError, KafkaError
from kafka.structs import OffsetAndMetadata

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


def transform(brokers, group, source, target, transactional_id, protocol="classic"):
    consumer = KafkaConsumer(
        source,
        bootstrap_servers=brokers,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
        session_timeout_ms=6000,
        heartbeat_interval_ms=500,
        max_poll_records=20,
    )
    producer = KafkaProducer(
        bootstrap_servers=brokers,
        transactional_id=transactional_id,
        transaction_timeout_ms=20000,
        request_timeout_ms=10000,
    )
    producer.init_transactions()
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    turn = 0
    while not stop.is_set():
        batch = [r for records in consumer.poll(timeout_ms=200).values() for r in records]
        if not batch:
            continue
        turn += 1
        try:
            producer.begin_transaction()
            for r in batch:
                producer.send(target, key=r.key, value=r.value, partition=r.partition)
            if turn % 5 != 0:
                offsets = {p: OffsetAndMetadata(consumer.position(p), "", -1) for p in consumer.assignment()}
                producer.send_offsets_to_transaction(offsets, consumer.group_metadata())
                producer.commit_transaction()
                say("committed", len(batch))
                continue
            producer.flush()
        except KafkaError as error:
            print("aborting:", repr(error), file=sys.stderr)
        producer.abort_transaction()
        first = {}
        for r in batch:
            first.setdefault(TopicPartition(r.topic, r.partition), r.offset)
        for p, offset in first.items():
            if p in consumer.assignment():
                consumer.seek(p, offset)
        say("aborted", len(batch))
    producer.close()
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
    {"produce": produce, "consume": consume, "transform": transform}[sys.argv[1]](*sys.argv[2:])
