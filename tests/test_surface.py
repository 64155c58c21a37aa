"""What `import gadfly` gives: pinned, so that it changes only on purpose."""

import gadfly


def test_every_public_name_is_there_and_in_order():
    assert gadfly.__all__ == sorted(gadfly.__all__)
    assert len(gadfly.__all__) == 14
    for name in gadfly.__all__:
        assert getattr(gadfly, name).__module__.split(".")[0] in ("gadfly", "inspect_ai")


def test_a_name_that_does_not_exist_is_an_attribute_error():
    assert not hasattr(gadfly, "audti")
