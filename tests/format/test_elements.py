from __future__ import annotations

from git_lepton.format.elements import BYTES, ELEMENTS, element_of

# The dtypes that the safetensors format names.
NAMES = """BOOL F4 F6_E2M3 F6_E3M2 U8 I8 F8_E5M2 F8_E4M3 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ I16 U16 F16 BF16 I32 U32 F32 C64 F64
I64 U64"""


def test_every_dtype_of_safetensors_is_known() -> None:
    assert set(ELEMENTS) == set(NAMES.split())


def test_a_word_divides_its_element() -> None:
    for name, element in ELEMENTS.items():
        assert element.word in (1, 2, 4, 8), name
        assert element.bits <= 8 or element.bits % (8 * element.word) == 0, name


def test_only_floats_of_two_bytes_and_more_have_a_sign_to_move() -> None:
    assert {name for name, element in ELEMENTS.items() if element.sign} == {"F16", "BF16", "F32", "C64", "F64"}


def test_bytes_and_the_unknown_are_bytes() -> None:
    assert element_of("") == element_of("F3_E1M1") == BYTES
