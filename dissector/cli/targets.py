"""Which file is made of which, for commands that take several captures."""

from __future__ import annotations

from pathlib import Path


def pairs_of(files: tuple[str, ...], out_dir: str | None) -> list[tuple[str, str]]:
    """Sources with their targets.  Raises UsageError where it is not clear what belongs to what."""
    from dissector.errors import UsageError
    from dissector.outfile import written_name

    if out_dir is None:
        if len(files) != 2:
            raise UsageError("give IN and OUT, or several captures and --out-dir")
        return [(files[0], files[1])]
    names = [written_name(Path(source).name) for source in files]
    if len(set(names)) < len(names):
        raise UsageError("captures of the same name can not be written to one folder")
    folder = Path(out_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out_dir}: {error.strerror}") from None
    return [(source, str(folder / name)) for source, name in zip(files, names, strict=True)]
