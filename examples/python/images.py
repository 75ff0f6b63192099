"""A batch of images made ready for a network: bytes to numbers, colours to their mean and deviation, channels first.

images.py [FILE.ppm...] takes binary PPM files of one size; without them it makes pictures of its own.
"""

import pathlib
import sys
import time

import tme

# Of the images of ImageNet: red, green, blue.
MEAN = [0.485, 0.456, 0.406]
DEVIATION = [0.229, 0.224, 0.225]


def read_ppm(path: str) -> tme.Array:
    data = pathlib.Path(path).read_bytes()
    fields: list[bytes] = []
    at = 0
    while len(fields) < 4:
        end = min(i for i in (data.find(b" ", at), data.find(b"\n", at)) if i >= 0)
        if data[at : at + 1] == b"#":
            end = data.index(b"\n", at)
        elif end > at:
            fields.append(data[at:end])
        at = end + 1
    if fields[0] != b"P6" or fields[3] != b"255":
        raise ValueError(f"{path} is no binary PPM file of bytes")
    width, height = int(fields[1]), int(fields[2])
    return tme.asarray(memoryview(data)[at:], dtype="uint8").reshape(height, width, 3)


def make_picture(number: int, size: int = 256) -> tme.Array:
    y, x = tme.arange(size).reshape(size, 1, 1), tme.arange(size).reshape(1, size, 1)
    colour = tme.arange(3).reshape(1, 1, 3)
    wave = tme.sin(x * 0.02 * (number + 1) + colour) * tme.cos(y * 0.03 - number * colour)
    return tme.round(127.5 + 127.5 * wave).astype("uint8")


@tme.compile
def normalize(images: tme.Array) -> tme.Array:
    """(n, height, width, 3) of uint8 to (n, 3, height, width) of float32."""
    x = images.astype("float32") / 255
    return ((x - MEAN) / DEVIATION).transpose(0, 3, 1, 2)


def main() -> None:
    pictures = [read_ppm(path) for path in sys.argv[1:]] or [make_picture(i) for i in range(8)]
    images = tme.stack(pictures)
    tme.eval(images)
    x = normalize(images)  # traced and compiled here
    begin = time.perf_counter()
    x = normalize(images)
    ms = (time.perf_counter() - begin) * 1e3
    print(f"{images.shape} {images.dtype} to {x.shape} {x.dtype}: {ms:.2f} ms")
    print("mean of each channel:", tme.mean(x, axis=(0, 2, 3)))

    one = images[0, 3, 5].tolist()
    wanted = [(value / 255 - m) / d for value, m, d in zip(one, MEAN, DEVIATION, strict=True)]
    assert float(tme.max(tme.abs(x[0, :, 3, 5] - wanted))) < 1e-5


if __name__ == "__main__":
    main()
