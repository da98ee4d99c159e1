"""A tiny MLServer runtime: the length of a text, its words, and its mood by a word list."""
import json
import os

from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.errors import InferenceError
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput

import numpy as np

GOOD = {"good", "great", "love", "lovely", "thanks", "gut"}
BAD = {"bad", "broken", "awful", "hate", "never", "schlecht"}


def mood(text: str) -> int:
    words = text.lower().replace(",", " ").replace("!", " ").split()
    return sum(w in GOOD for w in words) - sum(w in BAD for w in words)


class Texts(MLModel):
    async def load(self) -> bool:
        # Every request is noted, so that a test can prove it was made.
        self._calls = open(os.environ["LEAT_TEST_CALLS"], "a", buffering=1, encoding="utf-8")
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        by_name = {tensor.name: tensor for tensor in payload.inputs}
        if "text" not in by_name:
            raise InferenceError("there is no input 'text'")
        texts = StringCodec.decode_input(by_name["text"])
        print(json.dumps({"id": payload.id, "shape": by_name["text"].shape, "texts": texts}), file=self._calls)
        if "!refuse" in texts:
            raise InferenceError("this text is refused")
        if "!crash" in texts:
            raise RuntimeError("the model crashed")
        outputs = [
            # One dimension, as the protocol allows it, and [n, 1] as MLServer's own codecs write it.
            ResponseOutput(name="length", shape=[len(texts)], datatype="INT64", data=[len(t.encode()) for t in texts]),
            ResponseOutput(name="positive", shape=[len(texts)], datatype="BOOL", data=[mood(t) > 0 for t in texts]),
            NumpyCodec.encode_output("mood", np.array([[mood(t)] for t in texts], dtype=np.float32)),
            StringCodec.encode_output("upper", [t.upper() for t in texts]),
        ]
        if "weights" in by_name:
            weights = NumpyCodec.decode_input(by_name["weights"])
            outputs.append(NumpyCodec.encode_output("doubled", weights * 2))
        return InferenceResponse(id=payload.id, model_name=self.name, model_version=self.version, outputs=outputs)
