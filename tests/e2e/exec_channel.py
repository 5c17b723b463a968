"""Commands on the control channel: command/exec and what goes with it, as messages."""

import base64
import json

from channel import Line


class Commands(Line):
    """A connection that runs commands, and keeps what comes for each of them."""

    def __init__(self, site, name="web"):
        super().__init__(site, name)
        self.native = site.native
        self.last_id = 0
        self.deltas = []  # (process id, stream, bytes, whether the cap was reached)
        self.answers = {}
        self.order = []  # "delta", or the id of an answer

    def send(self, method, **params):
        self.last_id += 1
        self.write(self.request(self.last_id, method, params))
        return self.last_id

    @staticmethod
    def request(number, method, params):
        return json.dumps({"id": number, "method": method, "params": params}) + "\n"

    def take(self):
        """Reads one message; None at the end."""
        message = self.read()
        if message is None:
            return None
        if message.get("method") == "command/exec/outputDelta":
            params = message["params"]
            assert set(params) == {"processId", "stream", "deltaBase64", "capReached"}
            self.deltas.append((params["processId"], params["stream"],
                                base64.b64decode(params["deltaBase64"], validate=True),
                                params["capReached"]))
            self.order.append("delta")
        elif "id" in message:
            self.answers[message["id"]] = message
            self.order.append(message["id"])
        return message

    def wait(self, number):
        """The answer to a request: its result, or its error."""
        while number not in self.answers:
            assert self.take() is not None, "the connection has ended"
        answer = self.answers[number]
        return answer.get("result", answer.get("error"))

    def run(self, *command, **params):
        return self.wait(self.exec(*command, **params))

    def exec(self, *command, **params):
        return self.send("command/exec", command=[self.native(word) for word in command], **params)

    def control(self, what, process, **params):
        return self.wait(self.send(f"command/exec/{what}", processId=process, **params))

    def put(self, process, data, **params):
        return self.control("write", process, deltaBase64=base64.b64encode(data).decode(), **params)

    def output(self, process, stream="stdout"):
        return b"".join(data for owner, name, data, _ in self.deltas
                        if (owner, name) == (process, stream))

    def wait_for_output(self, process, wanted, stream="stdout"):
        while wanted not in self.output(process, stream):
            assert self.take() is not None, self.output(process, stream)
        return self.output(process, stream)
