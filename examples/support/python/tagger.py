#!/usr/bin/env python3
"""The example's tagger once more, as a child process in Python's standard library.

    python3 examples/support/python/tagger.py [WEIGHTS]

It speaks `protocol: exec`: one JSON line in, {"id": ..., "value": {"text": ...}},
one JSON line out, {"id": ..., "result": {"tags": [{"word": ..., "tag": ...}]}} or
{"id": ..., "error": "...", "class": "poison"}; it ends when its input does. WEIGHTS is a file that
`go run ./examples/support/train` wrote, by default the shipped one. Weights are
whole numbers, so the answers are those of ../models/tagger, word for word.
"""

import gzip
import json
import os
import re
import sys
import unicodedata

MAX_CHARS = 100_000  # of one text
START = "^"  # words and tags before the first and after the last one
EMOTICONS = (":-)", ":-(", ";-)", ":-/", ":)", ":(", ";)", ":D", ":/", ":P", "<3")
CLITICS = ("s", "m", "re", "ve", "ll", "d")
SPACES = frozenset(
    " \t\n\v\f\r\x85\xa0\u2028\u2029\u202f\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200C)))
)


def lower(s):
    """Lower case, character by character: none becomes two."""
    return "".join("i" if c == "\u0130" else low if len(low := c.lower()) == 1 else c for c in s)


def is_letter(c):
    return unicodedata.category(c)[0] == "L"


def is_digit(c):
    return unicodedata.category(c) == "Nd"


def is_word(c):
    return is_letter(c) or is_digit(c) or c == "_"


def joins(c):
    """Marks, variation selectors, skin tones, the joiner of composed emoji."""
    return unicodedata.category(c)[0] == "M" or c == "\u200d" or "\U0001f3fb" <= c <= "\U0001f3ff"


def is_apostrophe(c):
    return c in "'’"


def tokens(text):
    """Words, numbers, punctuation and symbols, as ../models/text cuts them."""
    out = []
    for chunk in chunks(text):
        if is_address(chunk):
            word = chunk.rstrip(".,!?;:)")
            out.append(word)
            chunk = chunk[len(word) :]
        add_chunk(out, chunk)
    return out


def chunks(text):
    begin = 0
    for end, c in enumerate(text + " "):
        if c in SPACES:
            if end > begin:
                yield text[begin:end]
            begin = end + 1


def is_address(chunk):
    if "://" in chunk or chunk.startswith("www."):
        return True
    at = chunk.find("@")
    return at > 0 and "." in chunk[at:] and is_word(chunk[at - 1])


def add_chunk(out, chunk):
    i = 0
    while i < len(chunk):
        face = emoticon_at(chunk, i)
        if face:
            out.append(face)
            i += len(face)
            continue
        if is_word(chunk[i]):
            end = word_end(chunk, i)
            add_word(out, chunk[i:end])
            i = end
            continue
        end = i + 1
        while end < len(chunk) and (
            joins(chunk[end]) or chunk[end - 1] == "\u200d" or (chunk[end] == chunk[i] and chunk[i] in ".!?-*_=~")
        ):
            end += 1
        if is_apostrophe(chunk[i]):
            clitic = word_end(chunk, i + 1)
            if clitic > i + 1 and lower(chunk[i + 1 : clitic]) in CLITICS:
                end = clitic
        out.append(chunk[i:end])
        i = end


def emoticon_at(chunk, i):
    if i > 0 and is_word(chunk[i - 1]) and chunk[i] not in "<:":
        return None
    for face in EMOTICONS:
        end = i + len(face)
        if chunk[i:end] == face and not (end < len(chunk) and is_word(chunk[end])):
            return face
    return None


def word_end(chunk, i):
    end = i
    while end < len(chunk):
        c = chunk[end]
        inside = end > i and end + 1 < len(chunk)
        if not (
            is_word(c)
            or (end > i and joins(c))
            or (inside and is_apostrophe(c) and is_letter(chunk[end - 1]) and is_letter(chunk[end + 1]))
            or (inside and c in ".,:" and is_digit(chunk[end - 1]) and is_digit(chunk[end + 1]))
        ):
            break
        end += 1
    return end


def add_word(out, word):
    low, n = lower(word), len(word)
    if n > 3 and low[n - 3] == "n" and is_apostrophe(low[n - 2]) and low[n - 1] == "t":
        out += [word[: n - 3], word[n - 3 :]]
        return
    if low == "cannot":
        out += [word[:3], word[3:]]
        return
    for i in range(n - 1, max(0, n - 4), -1):
        if is_apostrophe(low[i]) and low[i + 1 :] in CLITICS:
            out += [word[:i], word[i:]]
            return
    out.append(word)


def normal(word):
    """Lower case with straight apostrophes; numbers are alike."""
    if any(not ("0" <= c <= "9" or c in ".,:") for c in word):
        return lower(word.replace("’", "'"))
    return "0" if any("0" <= c <= "9" for c in word) else word


def shape(words, i):
    out, last = [], ""
    for c in words[i]:
        category = unicodedata.category(c)
        kind = "X" if category == "Lu" else "x" if category[0] == "L" else "d" if category == "Nd" else c
        kind = "*" if category == "So" else kind
        if kind != last:
            out.append(kind)
        last = kind
    if i == 0 or words[i - 1].strip(".!?") == "":
        out.append("^")
    return "".join(out)


class Tagger:
    def __init__(self, path):
        with gzip.open(path, "rt", encoding="utf-8") as f:
            model = json.load(f)["model"]
        self.tags, self.known, self.weights = model["tags"], model["known"], model["weights"]

    def tag(self, text):
        words = tokens(text)
        low = [normal(w) for w in words]
        prev = prev2 = START
        out = []
        for i, word in enumerate(words):
            tag = self.known.get(low[i]) or self.best(words, low, i, prev, prev2)
            out.append({"word": word, "tag": tag})
            prev2, prev = prev, tag
        return out

    def best(self, words, low, i, prev, prev2):
        scores = [0] * len(self.tags)
        for feature in features(words, low, i, prev, prev2):
            row = self.weights.get(feature, ())
            for tag, weight in zip(row[::2], row[1::2]):
                scores[tag] += weight
        return self.tags[scores.index(max(scores))]


def features(words, low, i, prev, prev2):
    def at(j):
        return low[j] if 0 <= j < len(low) else START

    w = low[i]
    yield from ("b", "w=" + w, "h=" + shape(words, i), "p1=" + w[:1], "p2=" + w[:2], "p3=" + w[:3])
    yield from ("s1=" + w[-1:], "s2=" + w[-2:], "s3=" + w[-3:], "s4=" + w[-4:])
    yield from ("w-1=" + at(i - 1), "w-2=" + at(i - 2), "w+1=" + at(i + 1), "w+2=" + at(i + 2))
    yield from ("s-1=" + at(i - 1)[-3:], "s+1=" + at(i + 1)[-3:], "w+1,w=" + at(i + 1) + " " + w)
    if i + 1 < len(words):
        yield "h+1=" + shape(words, i + 1)
    yield from ("t-1=" + prev, "t-2=" + prev2, "t-1,t-2=" + prev + " " + prev2)
    yield from ("t-1,w=" + prev + " " + w, "t-1,s3=" + prev + " " + w[-3:], "t-1,w+1=" + prev + " " + at(i + 1))


def answer(tagger, line):
    request = {}
    try:
        request = json.loads(line)
        text = request["value"]["text"]
        if not isinstance(text, str):
            raise TypeError("text is no string")
        if len(text) > MAX_CHARS:
            raise ValueError(f"the text is {len(text)} characters long and this model reads at most {MAX_CHARS}")
        text = re.sub("[\ud800-\udfff]", "\ufffd", text)
        return {"id": request.get("id"), "result": {"tags": tagger.tag(text)}}
    except (ValueError, TypeError, KeyError, RecursionError) as e:
        request_id = request.get("id") if isinstance(request, dict) else None
        return {"id": request_id, "error": f"send {{id, value: {{text: a string}}}}: {e}", "class": "poison"}


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..", "weights", "tagger.json.gz")
    tagger = Tagger(path)
    for line in sys.stdin.buffer:
        if line.strip():
            reply = json.dumps(answer(tagger, line.decode("utf-8", "replace")), ensure_ascii=False)
            sys.stdout.buffer.write(reply.encode("utf-8") + b"\n")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
