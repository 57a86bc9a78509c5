"""A minimal client of yaml-language-server."""

from __future__ import annotations

import itertools
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).parents[2] / ".node/node_modules/.bin/yaml-language-server"
CAPABILITIES = {
    "workspace": {"configuration": True},
    "textDocument": {"completion": {"completionItem": {"snippetSupport": True, "documentationFormat": ["markdown"]}}},
}


@dataclass(frozen=True)
class Problem:
    """A diagnostic: the underlined text and the message."""

    text: str
    message: str


class LanguageServer:
    """A running server. `|` in a text is the place of the cursor.

    :param schemas: the file of each schema, by the directory whose documents it is for.
    """

    def __init__(self, schemas: dict[str, Path]) -> None:
        self._settings = {
            "schemas": {file.as_uri(): [f"/{directory}/*.yaml"] for directory, file in schemas.items()},
            "schemaStore": {"enable": False},
        }
        self._process = subprocess.Popen([PROGRAM, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._numbers = itertools.count(1)
        self._texts: dict[str, str] = {}
        self._problems: dict[str, list[Problem]] = {}
        self._ask("initialize", processId=None, rootUri=None, capabilities=CAPABILITIES)
        self._tell("initialized")
        self._tell("workspace/didChangeConfiguration", settings={})
        while self._receive().get("method") != "workspace/configuration":
            pass

    def close(self) -> None:
        """End the server."""
        self._process.kill()
        self._process.communicate()

    def completions(self, directory: str, text: str) -> list[str]:
        """Return the completions at the cursor."""
        found = self._ask("textDocument/completion", **self._place(directory, text))
        return [each["label"] for each in found["items"]]

    def hover(self, directory: str, text: str) -> str:
        """Return the explanation of the word at the cursor."""
        found = self._ask("textDocument/hover", **self._place(directory, text))
        return str(found["contents"]["value"])

    def problems(self, directory: str, *texts: str) -> list[list[Problem]]:
        """Return the diagnostics of each text."""
        return self._found([self._open(self._new(directory), text) for text in texts])

    def problems_in(self, file: Path, text: str) -> list[Problem]:
        """Return the diagnostics of a file with this text."""
        (found,) = self._found([self._open(file.as_uri(), text)])
        return found

    def _found(self, uris: list[str]) -> list[list[Problem]]:
        while not all(uri in self._problems for uri in uris):
            self._receive()
        return [self._problems[uri] for uri in uris]

    def _new(self, directory: str) -> str:
        return f"file:///{directory}/{next(self._numbers)}.yaml"

    def _open(self, uri: str, text: str) -> str:
        self._texts[uri] = text
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._tell("textDocument/didOpen", textDocument=document)
        return uri

    def _place(self, directory: str, text: str) -> dict[str, Any]:
        before, _, after = text.partition("|")
        lines = before.split("\n")
        position = {"line": len(lines) - 1, "character": len(lines[-1])}
        return {"textDocument": {"uri": self._open(self._new(directory), before + after)}, "position": position}

    def _ask(self, method: str, **parameters: Any) -> Any:
        number = next(self._numbers)
        self._send({"id": number, "method": method, "params": parameters})
        while True:
            message = self._receive()
            if "method" not in message and message["id"] == number:
                return message["result"]

    def _tell(self, method: str, **parameters: Any) -> None:
        self._send({"method": method, "params": parameters})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        """Answer requests, note diagnostics, and return the next other message."""
        assert self._process.stdout
        header = self._process.stdout.readline()
        assert header.startswith(b"Content-Length: "), "the server has ended"
        self._process.stdout.readline()
        message: dict[str, Any] = json.loads(self._process.stdout.read(int(header.split()[1])))
        if "method" in message and "id" in message:
            self._send({"id": message["id"], "result": self._answer(message)})
        if message.get("method") == "textDocument/publishDiagnostics":
            found = message["params"]
            text = self._texts[found["uri"]]
            self._problems[found["uri"]] = [_problem(text, each) for each in found["diagnostics"]]
        return message

    def _answer(self, question: dict[str, Any]) -> Any:
        if question["method"] != "workspace/configuration":
            return None
        return [self._settings if each["section"] == "yaml" else {} for each in question["params"]["items"]]


def _problem(text: str, diagnostic: dict[str, Any]) -> Problem:
    start, end = diagnostic["range"]["start"], diagnostic["range"]["end"]
    line = text.split("\n")[start["line"]]
    until = end["character"] if end["line"] == start["line"] else len(line)
    return Problem(line[start["character"] : until], diagnostic["message"])
