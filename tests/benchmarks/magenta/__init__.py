"""Benchmarks of Magenta RealTime 2."""


def rounded(value: object) -> object:
    """Figures rounded to four significant digits, in nested dictionaries."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return value if isinstance(value, bool | int | str | None) else float(f"{float(value):.4g}")  # type: ignore[arg-type]
