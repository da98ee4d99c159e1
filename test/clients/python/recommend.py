"""The example that introductions to event-driven models give: a consumer of a
group reads what users do, computes, and sends what it thinks of it.

    recommend.py BROKERS
"""

import json
import sys
from collections import Counter, defaultdict

from kafka import KafkaConsumer, KafkaProducer

consumer = KafkaConsumer(
    "user-interactions",
    group_id="recommendation-engine",
    bootstrap_servers=sys.argv[1],
    value_deserializer=lambda value: json.loads(value.decode("utf-8")),
    auto_commit_interval_ms=500,
)
producer = KafkaProducer(
    bootstrap_servers=sys.argv[1],
    value_serializer=lambda value: json.dumps(value).encode("utf-8"),
)

seen = defaultdict(Counter)
for message in consumer:
    interaction = message.value
    products = seen[interaction["user"]]
    products[interaction["product"]] += 1
    recommendation = {
        "user": interaction["user"],
        "because_of": message.offset,
        "products": [name for name, _ in sorted(products.items(), key=lambda item: (-item[1], item[0]))[:3]],
    }
    producer.send("updated-recommendations", key=interaction["user"].encode(), value=recommendation)
