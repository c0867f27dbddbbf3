import { begin, show, token } from "./client.js";

const place = document.getElementById("result");
for (const form of document.querySelectorAll("form[data-grant]")) {
  form.addEventListener("submit", async event => {
    event.preventDefault();
    const grant = form.dataset.grant;
    const fields = new FormData(form);
    if (grant === "code" || grant === "token") {
      await begin(grant, fields.getAll("scope").join(" ") || "notes");
      return;
    }
    const credentials = { client_id: "tutorial-server", client_secret: fields.get("client_secret") };
    const parameters = { grant_type: grant, scope: "notes profile", ...credentials };
    if (grant === "password") {
      parameters.username = fields.get("username");
      parameters.password = fields.get("password");
    }
    show(place, await token(parameters), credentials);
    place.scrollIntoView();
  });
}
