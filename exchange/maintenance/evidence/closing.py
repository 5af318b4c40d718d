"""`python -m exchange.maintenance.evidence.closing`: makes the closing certificate of a window, beside the exchange.

Speaks as `messages` says. It folds the records by itself and holds what they lead to against the running state,
so what is certified at the close is what the records say, or nothing is.
"""

from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

from nacl.signing import SigningKey

from exchange.journal.recovery import without_collection
from exchange.journal.store import JournalReader
from exchange.maintenance.evidence import certificates
from exchange.maintenance.evidence.gather import Evidence
from exchange.maintenance.evidence.messages import Progress, Request, Said, Verdict, speak
from exchange.runtime.build import build_id
from exchange.values.windows.certificate import CertificateKind, Gate


def close(request: Request, say: Callable[[Said], None]) -> Verdict:
    """The closing certificate, signed and kept; or why there is none.

    Raises:
        JournalError
    """
    data_dir = Path(request.data)
    with without_collection(), JournalReader(data_dir) as reader:
        evidence = Evidence(data_dir, reader)
        live = (request.live_seq, request.live_digest) if request.live_digest else None
        evidence.gather(None, live, lambda done, total: say(Said(progress=Progress(Gate.FOLDS, done, total))))
    broken = evidence.broken_chain + evidence.broken_folds
    if evidence.state.build != build_id():
        broken.append("the program on disk is not the one that runs")
    if broken:
        return Verdict(False, (), f"the closing books could not be certified: {broken[0]}", "")
    made = certificates.body(evidence.state, evidence.histories)
    signed = certificates.certify(
        CertificateKind.CLOSING,
        evidence.state,
        made,
        chain=evidence.chain,
        time_us=request.time_us,
        window=request.window,
        markets=request.markets,
        key=SigningKey(b64decode(request.seed)),
    )
    certificates.keep(data_dir, signed, made)
    return Verdict(True, (), "", "", signed)


if __name__ == "__main__":
    speak(close)
