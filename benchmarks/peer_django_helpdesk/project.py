"""Makes a Django project with django-helpdesk in a folder, and a virtual environment for it.

Everything that Django recommends for production is on: no debugging, cached templates, SQLite
in WAL mode with the durability of ours (synchronous=FULL), connections that stay open. E-mails
are rendered and dropped.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.intake import Client

REQUIREMENTS = ("django-helpdesk==2.6.1", "django==5.2.19", "waitress==3.0.2")
START_SECONDS = 60
CSRF = "benchmark" * 7 + "b"  # 64 letters, the length of Django's token

SETTINGS = """
from pathlib import Path

BASE = Path(__file__).parent
SECRET_KEY = "only for this benchmark"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
USE_TZ = True
SITE_ID = 1
ROOT_URLCONF = "urls"
STATIC_URL = "/static/"
MEDIA_ROOT = BASE / "media"
LOGIN_URL = "helpdesk:login"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
HELPDESK_TEAMS_MODE_ENABLED = False
HELPDESK_API_ENABLED = HELPDESK_ACTIVATE_API_ENDPOINT = True
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.sites",
    "django.contrib.humanize",
    "rest_framework",
    "helpdesk",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE / "desk.sqlite3",
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        },
    }
}
"""

URLS = """
from django.urls import include, path

urlpatterns = [path("helpdesk/", include("helpdesk.urls", namespace="helpdesk"))]
"""

SEED = """
import json, os, sys, time
from datetime import datetime

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django

django.setup()
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
from django.db import transaction
from helpdesk.models import FollowUp, Queue, Ticket

call_command("migrate", verbosity=0)
user = get_user_model().objects.create_superuser("grace", "grace@example.com", "not used here")
queue = Queue.objects.create(title="Support", slug="support", allow_public_submission=True)
began = time.perf_counter()
with open(sys.argv[1], encoding="utf-8") as lines, transaction.atomic():
    for line in lines:
        issue = json.loads(line)
        moment = datetime.fromisoformat(issue["created_at"])
        ticket = Ticket.objects.create(
            title=issue["title"][:200],
            queue=queue,
            created=moment,
            submitter_email=issue["email"],
            description=issue["description"],
            status=Ticket.CLOSED_STATUS if issue["status"] == "CLOSED" else Ticket.OPEN_STATUS,
        )
        if issue["answer"]:
            FollowUp.objects.create(
                ticket=ticket, date=moment, title="Comment", comment=issue["answer"],
                public=True, user=user,
            )
seconds = time.perf_counter() - began
session = SessionStore()
session[SESSION_KEY] = str(user.pk)
session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
session[HASH_SESSION_KEY] = user.get_session_auth_hash()
session.create()
print(json.dumps({"seconds": round(seconds, 1), "session": session.session_key, "queue": queue.pk}))
"""

SERVE = """
import os

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from django.core.wsgi import get_wsgi_application
from waitress import create_server

server = create_server(get_wsgi_application(), listen="127.0.0.1:0", threads=4)
print("ready", server.effective_port, flush=True)
server.run()
"""


class Helpdesk:
    """django-helpdesk served by one process, and what a client does with it."""

    name = "django-helpdesk"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._python = str(folder / "venv" / "bin" / "python")
        self._seeded: dict[str, Any] = {}
        self._url = ""
        self._ids: list[int] = []

    def install(self) -> None:
        venv.create(self._folder / "venv", with_pip=True)
        self._run("-m", "pip", "install", "--quiet", *REQUIREMENTS)
        for name, text in (
            ("settings.py", SETTINGS),
            ("urls.py", URLS),
            ("seed.py", SEED),
            ("serve.py", SERVE),
        ):
            (self._folder / name).write_text(text.lstrip())

    def import_issues(self, issues: list[dict[str, Any]]) -> dict[str, Any]:
        """Store tickets through its models, in one transaction."""
        file = self._folder / "issues.jsonl"
        file.write_text("".join(json.dumps(issue) + "\n" for issue in issues), "utf-8")
        self._seeded = json.loads(self._run("seed.py", str(file)).splitlines()[-1])
        return {"issues": len(issues), "seconds": self._seeded["seconds"]}

    @contextmanager
    def running(self) -> Iterator[None]:
        log = self._folder / "server.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [self._python, "serve.py"], cwd=self._folder, stdout=output, stderr=output
            )
        began = time.monotonic()
        try:
            while not (found := re.search(r"^ready (\d+)$", log.read_text(), re.MULTILINE)):
                if process.poll() is not None or time.monotonic() - began > START_SECONDS:
                    raise SystemExit(log.read_text()[-3000:])
                time.sleep(0.05)
            self._url = f"http://127.0.0.1:{found[1]}"
            yield
        finally:
            process.terminate()
            process.wait(30)

    def client(self) -> Client:
        """Return a client that is signed in, as a browser with its cookies is."""
        cookies = f"sessionid={self._seeded['session']}; csrftoken={CSRF}"
        return Client(self._url, {"Cookie": cookies, "X-CSRFToken": CSRF})

    def creator(self, issues: list[dict[str, Any]]) -> Callable[[], object]:
        client, waiting = self.client(), iter(issues)

        def create() -> None:
            issue = next(waiting)
            body = {
                "queue": self._seeded["queue"],
                "title": issue["title"][:100],
                "description": issue["description"],
                "submitter_email": issue["email"],
                "priority": 3,
            }
            answer = json.loads(client.send("POST", "/helpdesk/api/tickets/", body))
            self._ids.append(answer["id"])

        return create

    def lister(self) -> Callable[[], object]:
        """Return an action that fetches what fills its list of open tickets, 50 rows."""
        from base64 import b64encode

        wanted = {"filtering": {"status__in": [1, 2]}, "sorting": "created", "sortreverse": True}
        query = b64encode(json.dumps(wanted).ljust(90).encode()).decode()
        path = f"/helpdesk/datatables_ticket_list/{query}?draw=1&start=0&length=50"
        client = self.client()
        rows = json.loads(client.send("GET", path))["data"]
        if len(rows) != 50:
            raise RuntimeError(f"its list has {len(rows)} rows, 50 are compared")
        return lambda: client.send("GET", path)

    def reader(self) -> Callable[[], object]:
        import random

        client, chance = self.client(), random.Random(3)
        return lambda: client.send("GET", f"/helpdesk/tickets/{chance.choice(self._ids)}/")

    def list_page(self) -> Callable[[], object]:
        client = self.client()
        return lambda: client.send("GET", "/helpdesk/tickets/")

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [self._python, *arguments],
            cwd=self._folder,
            env={name: os.environ[name] for name in os.environ if not name.startswith("PYTHON")},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(done.stdout[-2000:] + done.stderr[-3000:])
        return done.stdout
