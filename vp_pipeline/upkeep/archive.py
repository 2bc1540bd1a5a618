"""The file of a backup: a tar with a checksum of every member, written and read as a stream.

Here belongs the format. A backup can be taken apart without this program: `tar xf`, `sha256sum -c
SHA256SUMS`, `pg_restore`. What the members hold is for `backup` and `restore`.

SHA256SUMS comes last: a file that was cut off anywhere lacks it.
"""

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Self

SUMS = "SHA256SUMS"
_BLOCK = tarfile.BLOCKSIZE
CHUNK = 1 << 20


class BackupError(RuntimeError):
    """A backup cannot be made or used; the message says why and what to do."""


class Writer:
    """Writes members one after the other; a member's size need not be known before."""

    def __init__(self, file: IO[bytes], moment: float) -> None:
        self._file, self._moment = file, moment
        self._sums: dict[str, str] = {}

    def add(self, name: str, blocks: Iterator[bytes]) -> int:
        """Write a member; its size in bytes."""
        start = self._file.tell()
        self._file.write(bytes(_BLOCK))
        digest, size = hashlib.sha256(), 0
        for block in blocks:
            digest.update(block)
            size += self._file.write(block)
        self._file.write(bytes(-size % _BLOCK))
        end = self._file.tell()
        self._file.seek(start)
        header = tarfile.TarInfo(name)
        header.size, header.mtime, header.mode = size, int(self._moment), 0o600
        self._file.write(header.tobuf(tarfile.GNU_FORMAT))
        self._file.seek(end)
        self._sums[name] = digest.hexdigest()
        return size

    def close(self) -> None:
        """Write the checksums and the end mark."""
        lines = "".join(f"{digest}  {name}\n" for name, digest in self._sums.items())
        self.add(SUMS, iter([lines.encode()]))
        self._file.write(bytes(2 * _BLOCK))


@contextmanager
def new_file(path: Path, moment: float) -> Iterator[Writer]:
    """A backup at `path`, there when it is whole and on the disk, or not at all. For its owner's eyes.

    Raises:
        BackupError: the file exists, or cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            raise BackupError(f"{path} exists: choose another name")
        part.touch(0o600)
        try:
            with part.open("wb") as file:
                writer = Writer(file, moment)
                yield writer
                writer.close()
                file.flush()
                os.fsync(file.fileno())
            part.rename(path)
        finally:
            part.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise BackupError(
            f"{path} cannot be written: {error.strerror or error}: free space there, "
            "or name another place with --out or in VP_BACKUP_DIR"
        ) from error


class Reader:
    """The members of a backup, each read once and checked against its checksum."""

    def __init__(self, path: Path, tar: tarfile.TarFile) -> None:
        self._path, self._tar = path, tar
        self.closing = ExitStack()
        self._members = {member.name: member for member in tar.getmembers()}
        if SUMS not in self._members:
            raise BackupError(f"{path} is cut off, or no backup: it has no {SUMS}: use another copy")
        lines = self._text(SUMS).splitlines()
        self._sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.close()

    def blocks(self, name: str) -> Iterator[bytes]:
        """The bytes of a member.

        Raises:
            BackupError: it is not there, or, after the last block, its checksum is another.
        """
        if name not in self._members or name not in self._sums:
            raise BackupError(f"{self._path} is damaged: {name} is missing: use another copy")
        digest = hashlib.sha256()
        file = self._tar.extractfile(self._members[name])
        if file is None:
            raise BackupError(f"{self._path} is damaged: {name} is no file: use another copy")
        while block := self._read(file):
            digest.update(block)
            yield block
        if digest.hexdigest() != self._sums[name]:
            raise BackupError(f"{self._path} is damaged: the checksum of {name} is another: use another copy")

    def text(self, name: str) -> str:
        """A member as text, checked."""
        return b"".join(self.blocks(name)).decode()

    def _text(self, name: str) -> str:
        file = self._tar.extractfile(self._members[name])
        return "" if file is None else self._read(file, -1).decode(errors="replace")

    def _read(self, file: IO[bytes] | io.BufferedReader, size: int = CHUNK) -> bytes:
        try:
            return file.read(size)
        except (OSError, tarfile.TarError) as error:
            raise BackupError(f"{self._path} is damaged: {error}: use another copy") from error


def opened(path: Path) -> Reader:
    """Open a backup.

    Raises:
        BackupError: it cannot be read, or is none.
    """
    try:
        with ExitStack() as stack:
            file = stack.enter_context(path.open("rb"))
            reader = Reader(path, stack.enter_context(tarfile.open(fileobj=file, mode="r:")))
            reader.closing = stack.pop_all()
            return reader
    except tarfile.TarError as error:
        raise BackupError(f"{path} is damaged, or no backup of `vp backup`: {error}") from error
    except OSError as error:
        raise BackupError(f"{path} cannot be read: {error.strerror or error}") from error
