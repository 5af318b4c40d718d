"""A user's proof, checked by the stand-alone verifier; and every way to alter it, found."""

import copy
import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import SigningKey

import verify_proof
from exchange.journal.store import open_writing
from exchange.maintenance.evidence import certificates, proofs
from exchange.values.record import encode
from exchange.values.windows.commands import Certify, RotateVenueKey
from exchange.values.windows.plan import WindowId
from tests.core.windows import by_hand as m
from tests.maintenance.evidence.books import KEY, Books, as_json
from tests.venue import ADMIN, deposit, public_key
from verify_proof import BadProof, verify

Json = dict[str, Any]


def certified(tmp_path: Path, opening: bool = True) -> tuple[Books, WindowId]:
    books = Books(tmp_path)
    window = books.close()
    if opening:
        books.venue.expect(deposit(books.venue.state, books.accounts[0], "SOL", 5, "in the window"))
        books.write()
        verdict = books.prove(window)
        assert verdict.signed is not None
        books.venue.expect(Certify(verdict.signed.text, verdict.signed.signature))
    return books, window


def proof_of(books: Books, window: WindowId) -> Json:
    proof = proofs.prove(books.data_dir, books.venue.state.venue_keys, books.accounts[0], window, books.signed())
    document = as_json(proof)
    assert isinstance(document, dict)
    return document


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> Json:
    return proof_of(*certified(tmp_path_factory.mktemp("books")))


def test_an_honest_proof_holds_and_says_what_changed(proof: Json) -> None:
    lines = "\n".join(verify(proof, b64encode(bytes(KEY.verify_key)).decode()))
    assert "(+5)" in lines
    assert "Gate statements: passed" in lines


def test_a_proof_of_a_shut_venue_has_no_opening_yet(tmp_path: Path) -> None:
    lines = verify(proof_of(*certified(tmp_path, opening=False)))
    assert "not been certified for opening yet" in lines[-1]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every single value in the document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places(inner, (*path, index))
    else:
        yield path


def altered(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return value[:-1] + ("x" if value[-1:] != "x" else "y") if value else "x"
    return 1


def test_every_altered_value_is_found(proof: Json) -> None:
    checked = 0
    for path in places(proof):
        if path[0] == "venue_keys":
            continue
        forged = copy.deepcopy(proof)
        inner: Any = forged
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = altered(inner[path[-1]])
        if path[-1] == "recorded_seq" and path[0] == "opening":
            continue  # says only when a certificate that is signed was recorded
        with pytest.raises(BadProof):
            verify(forged)
        checked += 1
    assert checked > 20


@pytest.mark.parametrize("name", ["statement", "certificate"])
def test_every_character_of_what_is_signed_and_hashed_counts(proof: Json, name: str) -> None:
    text = proof["closing"][name]
    for at in range(0, len(text), 7):
        forged = copy.deepcopy(proof)
        forged["closing"][name] = text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]
        with pytest.raises(BadProof):
            verify(forged)
    for spaced in (f" {text}", text.replace(",", ", ", 1)):
        with pytest.raises(BadProof):
            verify({**proof, "closing": {**proof["closing"], name: spaced}})


def test_another_key_signs_nothing(proof: Json) -> None:
    other = SigningKey(bytes(32))
    forged = copy.deepcopy(proof)
    certificate = json.loads(forged["closing"]["certificate"])
    certificate["public_key"] = b64encode(bytes(other.verify_key)).decode()
    forged["closing"]["certificate"] = text = json.dumps(certificate)
    forged["closing"]["signature"] = b64encode(other.sign(text.encode()).signature).decode()
    with pytest.raises(BadProof, match="never the venue's"):
        verify(forged)
    # A liar who also replaces the list of keys, or enters theirs beside the venue's, is found by who knows that one.
    own = {"public_key": certificate["public_key"], "since_seq": 0}
    known = b64encode(bytes(KEY.verify_key)).decode()
    for keys in ([own], [*proof["venue_keys"], own]):
        forged["venue_keys"] = keys
        with pytest.raises(BadProof, match="no key you know"):
            verify(forged, known)
    verify({**forged, "opening": None}, known, own["public_key"])


def test_a_rotated_key_still_proves_what_it_signed_and_a_revoked_one_does_not(tmp_path: Path) -> None:
    for revoke in (False, True):
        books, window = certified(tmp_path / str(revoke))
        books.venue.agree(RotateVenueKey(ADMIN, public_key(900), revoke, "test"), books.second)
        document = proof_of(books, window)
        if revoke:
            with pytest.raises(BadProof, match="revoked"):
                verify(document)
        else:
            verify(document)


@pytest.mark.parametrize("document", [{}, {"format": 1}, {"format": 2}, {"format": 1, "closing": 3, "opening": None}])
def test_nonsense_is_refused(document: Json) -> None:
    with pytest.raises(BadProof):
        verify(document)


def test_the_file_runs_alone(proof: Json, tmp_path: Path) -> None:
    """Copied elsewhere, with nothing of ours on the path."""
    alone = tmp_path / "verify_proof.py"
    alone.write_bytes(Path(verify_proof.__file__).read_bytes())
    (tmp_path / "proof.json").write_text(json.dumps(proof))
    command = [sys.executable, "-I", str(alone), str(tmp_path / "proof.json")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("PROVED: the venue signed for these statements.\n")
    proof = copy.deepcopy(proof)
    proof["closing"]["certificate"] += " "
    (tmp_path / "proof.json").write_text(json.dumps(proof))
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "NOT PROVED" in done.stderr


def test_a_window_that_the_state_has_forgotten_is_found_by_what_is_kept_and_on_record(tmp_path: Path) -> None:
    books, window = certified(tmp_path)
    [last] = books.venue.records[-1:]
    journal = open_writing(tmp_path)
    journal.append(last.seq, [encode(last)])
    journal.close()
    found = certificates.long_ago(tmp_path, window)
    assert found == books.signed()
    assert len(found) == 2
    assert certificates.long_ago(tmp_path, WindowId(window + 10)) == {}
    # What is kept is where to look, never what is believed.
    [kept] = (tmp_path / certificates.FOLDER).glob("opening-*")
    content = kept / "certificate.json"
    content.write_bytes(content.read_bytes().replace(b"finding", b"Finding").replace(b"hold", b"HOLD"))
    assert len(certificates.long_ago(tmp_path, window)) == 1


def test_a_window_without_certificates_has_nothing_to_prove(tmp_path: Path) -> None:
    books = Books(tmp_path)
    window = m.plan(books.venue)
    with pytest.raises(BadProof, match="no closing certificate"):
        verify(proof_of(books, window))
