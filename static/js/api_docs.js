/**
 * Show the description of the HTTP API with Swagger UI, which its own script defines as a global.
 */

const container = document.getElementById("api");
const { SwaggerUIBundle } = /** @type {any} */ (window);

SwaggerUIBundle({
  url: container?.dataset.description,
  domNode: container,
  deepLinking: true,
  presets: [SwaggerUIBundle.presets.apis],
  syntaxHighlight: false,
  // The API needs no authorization.
  plugins: [() => ({ wrapComponents: { authorizeBtn: () => () => null } })],
  // Swagger's own service would be sent the description.
  validatorUrl: null,
});
