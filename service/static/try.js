// Lists the operations of /openapi.json and sends requests. Text is only ever set as text, so an answer cannot become markup.
"use strict";
const make = (tag, text, attributes = {}) => {
  const element = Object.assign(document.createElement(tag), attributes);
  if (text !== undefined) element.textContent = text;
  return element;
};
const place = (id) => document.getElementById(id);
let token = "";
let document_ = {};

const resolve = (part) => (part && part.$ref ? part.$ref.slice(2).split("/").reduce((at, name) => at[name], document_) : part);

const example = (given) => {
  const schema = resolve(given) || {};
  if (schema.example !== undefined) return schema.example;
  if (schema.enum) return schema.enum[0];
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  if (type === "object" || schema.properties) {
    const needed = schema.required || [];
    return Object.fromEntries(Object.entries(schema.properties || {}).filter(([name]) => needed.includes(name)).map(([name, each]) => [name, example(each)]));
  }
  return { array: [], integer: 1, number: 1, boolean: true }[type] ?? "";
};

const listOperations = () => {
  const byTag = {};
  for (const [path, item] of Object.entries(document_.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      if (method === "parameters") continue;
      (byTag[operation.tags[0]] ||= []).push({ path, method, operation, shared: item.parameters || [] });
    }
  }
  for (const [tag, operations] of Object.entries(byTag)) {
    place("operations").append(make("h2", tag));
    for (const each of operations) {
      const button = make("button", undefined, { type: "button", title: each.operation.summary || "" });
      button.append(make("span", each.method.toUpperCase(), { className: "method" }), each.path);
      button.addEventListener("click", () => {
        document.querySelectorAll("nav [aria-current]").forEach((other) => other.removeAttribute("aria-current"));
        button.setAttribute("aria-current", "true");
        showOperation(each);
      });
      place("operations").append(button);
    }
  }
};

const showOperation = ({ path, method, operation, shared }) => {
  const form = make("form");
  const parameters = [...shared, ...(operation.parameters || [])].map(resolve);
  for (const parameter of parameters) {
    const label = make("label", `${parameter.name}${parameter.required ? " *" : ""}`);
    label.append(make("input", undefined, { name: `${parameter.in}:${parameter.name}`, required: Boolean(parameter.required) }));
    label.append(make("small", parameter.description || (parameter.schema && parameter.schema.pattern) || ""));
    form.append(label);
  }
  const content = operation.requestBody && operation.requestBody.content && operation.requestBody.content["application/json"];
  if (content) form.append(make("textarea", JSON.stringify(example(content.schema), null, 2), { name: "body", spellcheck: false }));
  form.append(make("button", "Send"));
  const answer = make("pre", "");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(method, path, parameters, new FormData(form), Boolean(content), answer);
  });
  place("operation").replaceChildren(make("h2", `${method.toUpperCase()} ${path}`), make("p", operation.summary || ""), form, answer);
};

const send = async (method, path, parameters, values, hasBody, answer) => {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const query = new URLSearchParams();
  let address = path;
  for (const parameter of parameters) {
    const value = String(values.get(`${parameter.in}:${parameter.name}`) || "");
    if (parameter.in === "path") address = address.replace(`{${parameter.name}}`, encodeURIComponent(value));
    else if (value && parameter.in === "header") headers[parameter.name] = value;
    else if (value) query.set(parameter.name, value);
  }
  if (hasBody) headers["Content-Type"] = "application/json";
  try {
    const url = query.size ? `${address}?${query}` : address;
    const response = await fetch(url, { method: method.toUpperCase(), headers, body: hasBody ? values.get("body") : undefined });
    const text = await response.text();
    const shown = /json/.test(response.headers.get("Content-Type") || "") ? JSON.stringify(JSON.parse(text), null, 2) : text;
    const tag = response.headers.get("ETag");
    answer.textContent = `${response.status} ${response.statusText}${tag ? `\nETag: ${tag}` : ""}\n\n${shown}`;
  } catch (wrong) {
    answer.textContent = `No answer: ${wrong.message}`;
  }
};

place("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const said = Object.fromEntries(new FormData(event.target));
  const response = await fetch("/v1/sessions", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(said) });
  const body = await response.json();
  token = response.ok ? body.token : "";
  place("who").textContent = response.ok ? `Logged in until ${body.expires_at}.` : body.title;
  event.target.elements.password.value = "";
});

fetch("/openapi.json").then((response) => response.json()).then((found) => {
  document_ = found;
  listOperations();
});
