// The town as an Express application: `express.mjs PORT`.
import express from "express";

const app = express();
const guarded = (request, response) => response.send("GUARDED");
app.get("/people/me", guarded);
app.get("/people/:id", (request, response) => response.send("person"));
app.get("/people/:id/letters", guarded);
app.get("/vault", guarded);
app.get("/vault/:drawer", guarded);
app.get("/:page", (request, response) => response.send("page"));
app.listen(Number(process.argv[2]), "127.0.0.1");
