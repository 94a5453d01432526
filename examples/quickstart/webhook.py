"""A webhook to try Claxon with: takes what it posts on 127.0.0.1:8080, and prints a line for each alert."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer


class Webhook(BaseHTTPRequestHandler):
    """Prints the alerts of a notification, in the form of Alertmanager's webhook, version 4."""

    def do_POST(self) -> None:
        """Take one notification."""
        notification = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for alert in notification["alerts"]:
            labels, said = alert["labels"], alert["annotations"]
            print(
                f"{alert['status'].upper()} {labels['alertname']} ({labels['severity']}): {said['summary']}", flush=True
            )
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep quiet but for alerts."""


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", 8080), Webhook).serve_forever()
