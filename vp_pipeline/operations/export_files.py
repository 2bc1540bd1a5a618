"""Blocks of candles written to one CSV or Parquet file, whole or not at all.

Here belong the formats; what the blocks hold is in `export`.
"""

import os
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pandas as pd

from vp_pipeline.operations.errors import ExportError

Format = Literal["csv", "parquet"]
_TIME = "%Y-%m-%dT%H:%M:%SZ"


def write(
    path: Path, form: Format, blocks: Iterable[pd.DataFrame], metadata: Mapping[str, str], overwrite: bool
) -> int:
    """Write the blocks to `path`; how many rows they had.

    A file is there when it is complete, and what was there before stays until then. `metadata` goes into
    a Parquet file's key-value metadata; CSV has no place for it.

    Raises:
        ExportError: the file exists and may not be overwritten, or cannot be written.
    """
    _refuse_existing(path, overwrite)
    try:
        with _beside(path, overwrite) as unfinished:
            return _csv(unfinished, blocks) if form == "csv" else _parquet(unfinished, blocks, metadata)
    except FileExistsError as error:
        raise ExportError(f"{path} was made meanwhile by somebody else: nothing was written") from error
    except OSError as error:
        raise ExportError(
            f"{path} cannot be written ({error.strerror}): choose another file with --out"
        ) from error


def _refuse_existing(path: Path, overwrite: bool) -> None:
    if path.is_dir():
        raise ExportError(f"{path} is a folder: name a file with --out")
    if path.exists() and not overwrite:
        raise ExportError(f"{path} exists: choose another name, or say --overwrite")


@contextmanager
def _beside(path: Path, overwrite: bool) -> Iterator[Path]:
    """A new file in the same folder, which takes the name of `path` when the block ends well."""
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(number)
    unfinished = Path(name)
    try:
        yield unfinished
        unfinished.chmod(0o666 & ~_umask())
        if overwrite:
            unfinished.replace(path)
        else:
            path.hardlink_to(unfinished)  # fails if the name is taken by now
    finally:
        unfinished.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _csv(path: Path, blocks: Iterable[pd.DataFrame]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        for block in blocks:
            block.to_csv(file, index=False, header=not count, date_format=_TIME, lineterminator="\n")
            count += len(block)
        file.flush()
        os.fsync(file.fileno())
    return count


def _parquet(path: Path, blocks: Iterable[pd.DataFrame], metadata: Mapping[str, str]) -> int:
    import fastparquet

    count = 0
    for block in blocks:
        plain = pd.DataFrame({str(name): _plain(values) for name, values in block.items()})
        # The library still asks a time column for `Series.values`, which pandas is about to change.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Series.values returning an ndarray")
            fastparquet.write(
                str(path),
                plain,
                compression="ZSTD",
                append=count > 0,
                write_index=False,
                object_encoding="utf8",
                has_nulls=False,
                custom_metadata={} if count else dict(metadata),
            )
        count += len(block)
    return count


def _plain(values: pd.Series) -> pd.Series:
    """As the library can write it: whole numbers, which are never lacking, as numpy's, no text as ''."""
    if values.dtype == "Int64":
        return values.astype("int64")
    return values.fillna("") if values.dtype == "str" else values
