#!/usr/bin/env python3
"""Python reads what thalweg saves: as the format is described, and by `safetensors` where that is installed.
read.py SAMPLE"""
import json
import pathlib
import struct
import subprocess
import sys
import tempfile


def read(path, code):
    """(metadata, {name: (dtype, shape, values)}) of a safetensors file, with all that the format asks for checked."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    text, arrays = data[8:8 + length], data[8 + length:]
    assert text.startswith(b"{") and text.rstrip(b" ").endswith(b"}") and length % 8 == 0, text
    header = json.loads(text.decode("utf-8"), object_pairs_hook=distinct)
    metadata = header.pop("__metadata__")
    assert all(isinstance(value, str) for value in metadata.values()), metadata
    end, tensors = 0, {}
    for name, t in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        assert sorted(t) == ["data_offsets", "dtype", "shape"], t
        begin, stop = t["data_offsets"]
        assert begin == end, f"{name} begins at {begin}, not at {end}"
        end = stop
        values = struct.unpack(f"<{(stop - begin) // struct.calcsize(code)}{code}", arrays[begin:stop])
        tensors[name] = (t["dtype"], t["shape"], list(values))
    assert end == len(arrays), (end, len(arrays))
    return metadata, tensors


def distinct(pairs):
    assert len({key for key, _ in pairs}) == len(pairs), "a key comes twice"
    return dict(pairs)


def check_checksums(path, metadata):
    """By `xxhash`, where that is installed."""
    try:
        import xxhash
    except ImportError:
        return
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header, arrays = json.loads(data[8:8 + length]), data[8 + length:]
    for key, checksum in metadata.items():
        if key.startswith("checksum of "):
            begin, end = header[key.removeprefix("checksum of ")]["data_offsets"]
            assert xxhash.xxh3_64_hexdigest(arrays[begin:end]) == checksum, key
    others = "".join(f"{key}\0{text}\0" for key, text in sorted(metadata.items()) if key != "checksum")
    assert xxhash.xxh3_64_hexdigest(others.encode()) == metadata["checksum"]


def check(folder, dtype, code, mode):
    path = folder / f"{dtype}.{mode}"
    metadata, tensors = read(path, code)
    gradient = [i + 0.5 for i in range(6)]
    transposed = [gradient[column * 2 + row] for row in range(2) for column in range(3)]
    expected = {}
    for name, g, shape in [("größe/w", gradient, [2, 3]), ("columns", transposed, [2, 3]), ("one", [0.5], [])]:
        momentum = [x / 2 for x in g]
        z = [-(0.5 * x + 0.5 * m) for x, m in zip(g, momentum)]  # after one step x and y are z as well
        expected[f"{name}/nesterov_ema.momentum"] = (dtype, shape, momentum)
        expected[f"{name}/update_by_schedule_free.z"] = (dtype, shape, z)
        if mode == "x":
            expected[f"{name}/y"] = (dtype, shape, z)
    assert tensors == expected, f"{path.name}:\n{tensors}\n{expected}"

    check_checksums(path, metadata)
    said = {key: value for key, value in metadata.items() if "checksum" not in key}
    assert said == {
        "thalweg": "2", "mode": mode, "step": "1", "calls": "1", "numbers": dtype,
        "chain": "nesterov_ema(beta=0.5, look_ahead=interpolate) | "
                 "update_by_schedule_free(beta=0.5, decay=z, weight=plain_weight)",
        "options.lr": "0.30000000000000004", "options.weight_decay": "0", "options.warmup_steps": "0",
        "options.weight_lr_power": "0.1", "options.r": "0",
        "route 0.weight_sum": "1", "route 0.update_by_schedule_free.beta": "0.5",
        "größe/w/route": "0", "columns/route": "0", "one/route": "0",
    }, said
    assert len(metadata) == len(said) + 6 + len(tensors) + 1, metadata  # each parameter's at x and at y, the metadata's

    try:
        import safetensors
    except ImportError:
        return
    theirs = {name: t for name, t in safetensors.deserialize(path.read_bytes())}
    assert theirs.keys() == expected.keys()
    for name, t in theirs.items():
        values = struct.unpack(f"<{len(t['data']) // struct.calcsize(code)}{code}", bytes(t["data"]))
        assert (t["dtype"], list(t["shape"]), list(values)) == expected[name], name


with tempfile.TemporaryDirectory() as name:
    subprocess.run([sys.argv[1], name], check=True)
    for dtype, code in [("F32", "f"), ("F64", "d")]:
        for mode in "yx":
            check(pathlib.Path(name), dtype, code, mode)
print("in order")
