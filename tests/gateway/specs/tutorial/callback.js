import { CLIENT, answer, redeem, show } from "./client.js";

const place = document.getElementById("result");
const found = answer();
show(place, found.code ? await redeem(found.code) : found, { client_id: CLIENT });
