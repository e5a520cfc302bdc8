"""An SMTP server that misbehaves as it is told, for tests.

    python smtp_server.py 127.0.0.1:2500

listens there for control connections. Each of them asks for one SMTP server, on a port of its
own, that lives as long as the connection does. Requests and answers are JSON, a line each:

    {"do": "listen", ...}     -> {"port": 40123}     what else may be said: see Wish
    {"do": "mails"}           -> {"mails": [...]}    every message that arrived, in order
    {"do": "connections"}     -> {"open": 0, "all": 3}
    {"do": "await", "stage": "DATA", "count": 1}
                              -> {}                  once that command came so often
    {"do": "stages"}          -> {"DATA": 1, ...}    how often each came
    {"do": "ids"}             -> {"ids": [...]}      the Message-ID of every final dot, in order
    {"do": "rules", "rules": [...]}
                              -> {}                  other rules from now on
    {"do": "go"}              -> {}                  whatever waits goes on
    {"do": "shut"}            -> {}                  connections are refused
    {"do": "open"}            -> {"port": 40123}     and no longer, on the same port

What a server does wrong is told by rules: {"at": STAGE, "do": ACTION, "to": ADDRESS}, where
STAGE is CONNECT, EHLO, STARTTLS, AUTH, MAIL, RCPT, RSET, DATA, BODY or MESSAGE (the final dot), an
ACTION is one of (ANSWERED, after the answer to a message, can only be awaited)

    answer    say "text" instead of doing it
    hang      say nothing, for good
    wait      (MESSAGE only) answer 250 after the next {"do": "go"}
    close     close the connection, without a word
    drip      say one byte every 20 ms, and never the end of the line
    inject    (STARTTLS only) say "text" in the same breath as the permission to go ahead

and ADDRESS, where it is given, is the one recipient that it concerns. A rule with "times": N
is followed N times. BODY is met when the first line of a message has come. `close` at MESSAGE
keeps the message: it has arrived, and the sender is never told.
"""

import asyncio
import email
import email.policy
import json
import ssl
import sys
import tempfile

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

# Bounds: of a line of control, of servers at a time, of messages kept by each.
LINE = 1 << 20
SERVERS = 100
MESSAGES = 10_000

DRIP = 0.02


class Wish:
    """What one server is to be like."""

    def __init__(self, said):
        self.tls = said.get("tls", "none")  # none, starttls, implicit
        self.certificate = said.get("certificate")  # PEM, with the key below it
        self.user = said.get("user")  # who may log in, and then has to
        self.password = said.get("password")
        self.utf8 = said.get("utf8", False)
        self.rules = said.get("rules", [])

    def rule(self, stage, to=None):
        for rule in self.rules:
            meant = rule["at"] == stage and rule.get("to") in (None, to)
            if meant and rule.get("times", 1) > 0:
                if "times" in rule:
                    rule["times"] -= 1
                return rule
        return None

    def may_enter(self, _server, _session, _envelope, _mechanism, said):
        right = isinstance(said, LoginPassword) and (
            said.login.decode() == self.user and said.password.decode() == self.password
        )
        # Where not, aiosmtpd says 535 itself.
        return AuthResult(success=right, handled=False)

    def context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(self.certificate)
            file.flush()
            context.load_cert_chain(file.name)
        return context


class Kept:
    """What a server has seen."""

    def __init__(self):
        self.mails = []
        self.ids = []
        self.all = 0
        self.open = 0
        self.stages = {}
        self.news = asyncio.Condition()

    async def saw(self, stage):
        async with self.news:
            self.stages[stage] = self.stages.get(stage, 0) + 1
            self.news.notify_all()

    async def wait(self, stage, count):
        async with self.news:
            await self.news.wait_for(lambda: self.stages.get(stage, 0) >= count)

    def keep(self, envelope):
        if len(self.ids) < MESSAGES:
            self.mails.append(envelope)
            self.ids.append(identity(envelope))


def identity(envelope):
    head = email.message_from_bytes(envelope.content.split(b"\r\n\r\n", 1)[0])
    return head["Message-ID"]


def seen(envelope):
    raw = envelope.content
    message = email.message_from_bytes(raw, policy=email.policy.default)
    text = message.get_body(("plain",))
    html = message.get_body(("html",))
    return {
        "from": envelope.mail_from,
        "to": envelope.rcpt_tos,
        "options": envelope.mail_options,
        "raw": raw.decode("utf-8", "replace"),
        "headers": {name: str(value) for name, value in message.items()},
        "type": message.get_content_type(),
        "defects": [repr(defect) for part in message.walk() for defect in part.defects],
        "text": text and text.get_content().replace("\r\n", "\n"),
        "html": html and html.get_content().replace("\r\n", "\n"),
    }


class Odd(SMTP):
    """aiosmtpd's server, with the rules in front of its commands."""

    def __init__(self, wish, kept, context):
        self.wish, self.kept = wish, kept
        self.injected = None
        self.counted = False
        how = {"enable_SMTPUTF8": wish.utf8, "hostname": "test.invalid", "timeout": 600}
        if wish.tls == "starttls":
            how.update(tls_context=context, require_starttls=True)
        if wish.user is not None:
            how.update(auth_required=True, auth_require_tls=False, authenticator=wish.may_enter)
        super().__init__(Arrived(self), **how)

    async def follow(self, stage, to=None):
        """Whether a rule was followed instead of doing what is asked."""
        await self.kept.saw(stage)
        rule = self.wish.rule(stage, to)
        return rule is not None and await self.act(rule)

    async def act(self, rule):
        if rule["do"] == "answer":
            await self.push(rule["text"])
        elif rule["do"] == "hang":
            await asyncio.Event().wait()
        elif rule["do"] == "close":
            self.transport.close()
            await asyncio.Event().wait()
        elif rule["do"] == "drip":
            await drip(self._writer, rule.get("text", "250-").encode())
        elif rule["do"] == "inject":
            self.injected = rule["text"]
            return False
        return True

    async def push(self, status):
        if self.injected is not None:
            status, self.injected = f"{status}\r\n{self.injected}", None
        await super().push(status)

    def connection_made(self, transport):
        # Comes once more when STARTTLS has been done.
        if not self.counted:
            self.counted = True
            self.kept.all += 1
            self.kept.open += 1
        super().connection_made(transport)

    def connection_lost(self, error):
        if self.counted:
            self.counted = False
            self.kept.open -= 1
        super().connection_lost(error)

    async def _handle_client(self):
        try:
            if await self.follow("CONNECT"):
                self.transport.close()
                return
            await super()._handle_client()
        except asyncio.CancelledError:
            # The other end has gone away, whatever was to be done.
            if self.transport is not None:
                self.transport.close()
            raise

    async def smtp_EHLO(self, arg):
        if not await self.follow("EHLO"):
            await super().smtp_EHLO(arg)

    async def smtp_STARTTLS(self, arg):
        if not await self.follow("STARTTLS"):
            await super().smtp_STARTTLS(arg)

    async def smtp_AUTH(self, arg):
        if not await self.follow("AUTH"):
            await super().smtp_AUTH(arg)

    async def smtp_MAIL(self, arg):
        if not await self.follow("MAIL"):
            await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg):
        to = arg.split("<", 1)[-1].split(">", 1)[0]
        if not await self.follow("RCPT", to):
            await super().smtp_RCPT(arg)

    async def smtp_RSET(self, arg):
        if not await self.follow("RSET"):
            await super().smtp_RSET(arg)

    async def smtp_DATA(self, arg):
        to = (self.envelope.rcpt_tos or [None])[0]
        if await self.follow("DATA", to):
            return
        rule = self.wish.rule("BODY", to)
        if rule is None:
            await super().smtp_DATA(arg)
            await self.kept.saw("ANSWERED")
            return
        await self.push("354 Go ahead")
        await self._reader.readline()
        await self.kept.saw("BODY")
        if rule["do"] == "hang":
            # A reader whose buffer is full would not notice that the other end has gone.
            while await self._reader.read(LINE):
                pass
        await self.act(rule)


class Arrived:
    """What aiosmtpd asks once a message has come, to its final dot."""

    def __init__(self, server):
        self.server = server

    async def handle_DATA(self, _server, _session, envelope):
        wish, kept = self.server.wish, self.server.kept
        await kept.saw("MESSAGE")
        rule = wish.rule("MESSAGE", envelope.rcpt_tos[0]) or {"do": "answer", "text": "250 OK"}
        if rule["do"] != "answer" or rule["text"].startswith("2"):
            kept.keep(envelope)
        if rule["do"] == "wait":
            await kept.wait("GO", kept.stages.get("GO", 0) + 1)
            return "250 OK"
        if rule["do"] == "answer":
            return rule["text"]
        await self.server.act(rule)


async def drip(writer, start):
    writer.write(start)
    while True:
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(DRIP)


class Control:
    def __init__(self):
        self.servers = 0

    async def serve(self, reader, writer):
        server, wish, kept = None, None, Kept()
        try:
            while line := await reader.readline():
                asked = json.loads(line)
                answer = {}
                if asked["do"] == "listen" and server is None and self.servers < SERVERS:
                    self.servers += 1
                    wish = Wish(asked)
                    server = await listen(wish, kept)
                    answer = {"port": (port := server.sockets[0].getsockname()[1])}
                elif asked["do"] == "shut":
                    server.close()
                elif asked["do"] == "open":
                    server = await listen(wish, kept, port)
                    answer = {"port": port}
                elif asked["do"] == "rules":
                    wish.rules = asked["rules"]
                elif asked["do"] == "go":
                    await kept.saw("GO")
                elif asked["do"] == "stages":
                    answer = kept.stages
                elif asked["do"] == "ids":
                    answer = {"ids": kept.ids}
                elif asked["do"] == "mails":
                    answer = {"mails": [seen(envelope) for envelope in kept.mails]}
                elif asked["do"] == "connections":
                    answer = {"open": kept.open, "all": kept.all}
                elif asked["do"] == "await":
                    await kept.wait(asked["stage"], asked["count"])
                else:
                    answer = {"error": "what?"}
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            if server is not None:
                server.close()
                self.servers -= 1
            writer.close()


async def listen(wish, kept, port=0):
    context = None if wish.tls == "none" else wish.context()
    loop = asyncio.get_running_loop()
    implicit = context if wish.tls == "implicit" else None
    return await loop.create_server(
        lambda: Odd(wish, kept, context), "127.0.0.1", port, ssl=implicit
    )


async def main(address):
    host, port = address.rsplit(":", 1)
    control = Control()
    server = await asyncio.start_server(control.serve, host, int(port), limit=LINE)
    print(f"ready on {address}", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
