"""The town as a Flask, FastAPI or Django application: `app.py KIND PORT`."""
import sys

kind, port = sys.argv[1], int(sys.argv[2])

if kind == "flask":
    from flask import Flask

    app = Flask(__name__)
    app.add_url_rule("/people/<id>", "person", lambda id: f"person {id}")
    app.add_url_rule("/people/me", "myself", lambda: "GUARDED")
    app.add_url_rule("/people/<id>/letters", "letters", lambda id: "GUARDED")
    app.add_url_rule("/vault", "vault", lambda: "GUARDED")
    app.add_url_rule("/vault/<drawer>", "drawer", lambda drawer: "GUARDED")
    app.add_url_rule("/<page>", "page", lambda page: f"page {page}")
    app.run("127.0.0.1", port)
elif kind == "fastapi":
    import uvicorn
    from fastapi import FastAPI
    from fastapi.responses import PlainTextResponse

    app = FastAPI(default_response_class=PlainTextResponse)
    app.get("/people/me")(lambda: "GUARDED")
    app.get("/people/{id}")(lambda id: f"person {id}")
    app.get("/people/{id}/letters")(lambda id: "GUARDED")
    app.get("/vault")(lambda: "GUARDED")
    app.get("/vault/{drawer}")(lambda drawer: "GUARDED")
    app.get("/{page}")(lambda page: f"page {page}")
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")
else:
    from wsgiref.simple_server import make_server

    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse
    from django.urls import path

    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="of a test")
    guarded = lambda request, **_: HttpResponse("GUARDED")
    public = lambda request, **_: HttpResponse("public")
    urlpatterns = [
        path("people/me", guarded),
        path("people/<id>", public),
        path("people/<id>/letters", guarded),
        path("vault", guarded),
        path("vault/<drawer>", guarded),
        path("<page>", public),
    ]
    make_server("127.0.0.1", port, get_wsgi_application()).serve_forever()
