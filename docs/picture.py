"""Makes docs/demo.svg: the demo, really run, and what the lines it suggests really print. `make picture`."""

import io
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from tests.server import Server

HERE = Path(__file__).parent
EXCHANGE = str(Path(sys.executable).with_name("exchange"))
ORDER = """import ccxt, json
alice = json.load(open("data/demo-accounts.json"))[0]
exchange = ccxt.backpack({"apiKey": alice["apiKey"], "secret": alice["apiSecret"]})
exchange.urls["api"] = {"public": "http://127.0.0.1:8000", "private": "http://127.0.0.1:8000"}
order = exchange.create_order("SOL/USDC", "market", "buy", 1)
print(order["status"], order["filled"], "SOL for", order["cost"], "USDC")"""


def main() -> None:
    picture = Console(record=True, width=112, file=io.StringIO())
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "data", bots=True)

        def show(command: str, *really: str) -> None:
            """Run `really` and draw it as `command`, on the ports and paths a reader has."""
            ran = subprocess.run(really, capture_output=True, text=True, cwd=folder, check=True, env={"COLUMNS": "110"})
            picture.print(f"[bold green]$[/] [bold]{command}[/]", highlight=False)
            text = ran.stdout.replace(str(server.http_port), "8000").replace(str(server.ws_port), "8001")
            picture.print(text.rstrip() + "\n", markup=False, highlight=False)

        server.start()
        time.sleep(5)  # the bots fill the books
        picture.print("[bold green]$[/] [bold]make demo[/]", highlight=False)
        opened = next(line for line in server.log.read_text().splitlines() if line.startswith("The exchange runs"))
        opened = opened.replace(str(server.http_port), "8000").replace(str(server.ws_port), "8001")
        picture.print(opened + "\n", markup=False, highlight=False)
        depth = "/api/v1/depth?symbol=SOL_USDC&limit=5"
        show(f"curl -s 'http://127.0.0.1:8000{depth}'", "curl", "-s", server.http_url + depth)
        order = ORDER.replace("http://127.0.0.1:8000", server.http_url)
        show(f"python - <<'EOF'\n{ORDER}\nEOF".replace("[", r"\["), sys.executable, "-c", order)
        show("exchange admin status", EXCHANGE, "admin", "--url", server.http_url, "status")
        server.stop()
        show("exchange verify", EXCHANGE, "verify")
    drawn = re.sub(
        r"@font-face \{.*?\}\s*", "", picture.export_svg(title="exchange"), flags=re.DOTALL
    )  # no fonts from afar
    (HERE / "demo.svg").write_text(drawn)


if __name__ == "__main__":
    main()
