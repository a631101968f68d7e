"""Lay out the sample documents: `python data/make_sample.py --fonts /usr/share/fonts/truetype`."""

from __future__ import annotations

import argparse
from pathlib import Path

from layout.document import lay_out
from layout.fonts import register
from layout.source import read_source

HERE = Path(__file__).parent


def main() -> None:
    """Write every source as PDF into the target folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fonts", type=Path, default=Path("/usr/share/fonts/truetype"))
    parser.add_argument("--out", type=Path, default=HERE / "sample")
    parser.add_argument("names", nargs="*", help="sources to lay out; all when none is named")
    options = parser.parse_args()
    register(options.fonts)
    options.out.mkdir(parents=True, exist_ok=True)
    for path in sorted((HERE / "sources").glob("*.txt")):
        if options.names and path.stem not in options.names:
            continue
        source = read_source(path)
        target = options.out / str(source.settings["file"])
        target.write_bytes(lay_out(source))
        print(f"{target.name}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
