"""The public face of each package: `__all__` is sorted, complete and importable."""

import importlib
import types

import pytest

PACKAGES = ["schemas"]


@pytest.mark.parametrize("package", PACKAGES)
def test_all_names_every_public_member_and_no_other(package: str) -> None:
    face = importlib.import_module(package)
    public = {
        name
        for name, value in vars(face).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert public == set(face.__all__)


@pytest.mark.parametrize("package", PACKAGES)
def test_all_is_sorted_as_ruff_sorts_it_and_names_nothing_twice(package: str) -> None:
    names = importlib.import_module(package).__all__
    assert len(names) == len(set(names))
    assert all(hasattr(importlib.import_module(package), name) for name in names)
