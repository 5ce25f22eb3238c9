import base64, hashlib, hmac, json, os, time
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

secret = os.environ["SIGNING_SECRET"]
key = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
seen = set()  # In production: a unique index of your database.


def is_genuine(headers, body):
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "0")
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > 300:  # Not a request of long ago.
        return False
    signed = f"{message_id}.{timestamp}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return hmac.compare_digest(expected, headers.get("webhook-signature", ""))


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if not is_genuine(self.headers, body):
            return self.answer(401, "The signature is wrong.")
        records = json.loads(body, parse_float=Decimal)  # Decimal keeps all digits; an int has no limit.
        stored = 0
        for record in records if isinstance(records, list) else [records]:
            kind = "usage" if "traffic_type" in record else "event" if "event_type" in record else "sms"
            name = (kind, record["id"])
            if name in seen:
                continue
            seen.add(name)  # In production: store the record in the same transaction.
            stored += 1
        self.answer(200, f"stored {stored}")

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "9000"))), Receiver)
print("ready", flush=True)
server.serve_forever()
