import flask

import part

app = flask.Flask(__name__)


@app.route("/")
def text():
    return part.TEXT
