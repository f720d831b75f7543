"""Writes zlib.txt: streams of zlib that are flushed in different ways, for TestFlushes.

A stream begins with a line that describes it; each further line is a piece of text and what zlib sent for it up to and with its flush, both hex.
"""

import random
import zlib

random.seed(1951)
words = [b"UID", b"FETCH", b"STORE", b"(\\Seen)", b"+FLAGS.SILENT", b"BODY.PEEK[]", b"1:*", b"INBOX", b"APPEND"]
text = "Grüße aus dem Körper, line by line.".encode()


def piece():
    kind = random.randrange(5)
    if kind == 0:
        return b" ".join(random.choices(words, k=random.randrange(1, 8))) + b"\r\n"
    if kind == 1:
        return b"\r\n".join([b"Subject: %d" % random.randrange(10**9), b"", *[text] * random.randrange(1, 5)]) + b"\r\n"
    if kind == 2:
        return random.randbytes(random.randrange(1, 300))
    if kind == 3:
        return bytes(random.choices(range(32, 127), k=random.randrange(100, 600)))
    return random.choice([b"x", b"\r\n", b"a" * 700])


flushes = {"partial": [zlib.Z_PARTIAL_FLUSH], "sync": [zlib.Z_SYNC_FLUSH], "full": [zlib.Z_FULL_FLUSH]}
flushes["mixed"] = [f for fs in flushes.values() for f in fs]
with open("zlib.txt", "w") as out:
    for name, modes in flushes.items():
        for level in (1, 6):
            for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY):
                z = zlib.compressobj(level, zlib.DEFLATED, -15, 8, strategy)
                print(f"{name} level {level} strategy {strategy}", file=out)
                for _ in range(8):
                    p = piece()
                    print(p.hex(), (z.compress(p) + z.flush(random.choice(modes))).hex(), file=out)
