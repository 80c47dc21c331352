/** The API's page at the gateway, `/docs`: Swagger UI over `openapi.json`, all of it from this origin. */
import SwaggerUI from "swagger-ui-dist/swagger-ui-es-bundle.js";
import "swagger-ui-dist/swagger-ui.css";
import "./page.css";

/** As the console has been told, else as the system has it; the console's theme is kept under the same name. */
function isDark(): boolean {
  const chosen = localStorage.getItem("pulse.theme");
  return chosen === null ? matchMedia("(prefers-color-scheme: dark)").matches : chosen === "dark";
}

const follow = () => document.documentElement.classList.toggle("dark-mode", isDark());
follow();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", follow);
addEventListener("storage", follow);

SwaggerUI({
  url: new URL("openapi.json", document.baseURI).href,
  domNode: document.getElementById("api"),
  deepLinking: true,
  defaultModelExpandDepth: 3,
  defaultModelsExpandDepth: 0,
  docExpansion: "list",
  filter: true,
  showExtensions: true,
  validatorUrl: null,
});
