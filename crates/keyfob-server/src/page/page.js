// Renders /openapi.json. Texts of the document become text nodes, never HTML.

const api = await (await fetch("/openapi.json")).json();

/** Makes an element with attributes and children. */
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return made;
}

/** Makes text with `code` between backquotes. */
function prose(text) {
  return (text ?? "").split("`").map((part, place) => (place % 2 ? element("code", {}, part) : part));
}

function paragraphs(text) {
  return (text ?? "").split("\n\n").filter(Boolean).map((part) => element("p", {}, prose(part)));
}

function resolve(value) {
  if (!value?.$ref) return value;
  const steps = value.$ref.slice(2).split("/");
  return steps.reduce((at, step) => at[step.replaceAll("~1", "/").replaceAll("~0", "~")], api);
}

const nameOf = (schema) => schema.$ref?.split("/").pop();

/** Says in a few words which values a schema accepts. */
function kind(schema) {
  if (schema === true || !schema) return "any value";
  if (schema.$ref) return nameOf(schema);
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) return [...new Set(choices.map(kind))].join(", or ");
  if (schema.type === "array") return `array of ${kind(schema.items)}`;
  const types = [schema.type ?? "any value"].flat().join(" or ");
  return schema.format ? `${types} (${schema.format})` : types;
}

/** Lists the bounds of a schema. */
function bounds(schema) {
  const names = ["minimum", "maximum", "minLength", "maxLength", "maxItems", "maxProperties", "pattern", "default"];
  const known = names.filter((name) => schema[name] !== undefined);
  return known.map((name) => `${name} ${JSON.stringify(schema[name])}`).join(", ");
}

function described(name, schema, about, isRequired) {
  const limits = bounds(schema);
  return [
    element("dt", {}, element("code", {}, name), " ",
      element("span", { class: "quiet" }, kind(schema), isRequired ? ", required" : "")),
    element("dd", {}, paragraphs(about), limits ? element("p", { class: "quiet" }, limits) : null,
      inner(schema)),
  ];
}

/** Shows the members of the schemas inside a schema, each on demand. */
function inner(schema, open = false) {
  const found = [];
  const collect = (part) => {
    if (!part || typeof part !== "object") return;
    if (part.$ref || part.properties) found.push(part);
    else [part.items, ...(part.oneOf ?? []), ...(part.anyOf ?? [])].forEach(collect);
  };
  collect(schema);
  const refs = [...new Map(found.map((part) => [part.$ref ?? part, part])).values()];
  return refs.map((part) => lazy(nameOf(part) ?? "members", () => members(part), open));
}

/** Makes its content when it is opened: schemas can contain themselves. */
function lazy(title, content, open) {
  const details = element("details", {}, element("summary", {}, title));
  const fill = () => details.childElementCount === 1 && details.append(...content());
  details.addEventListener("toggle", fill);
  if (open) {
    fill();
    details.open = true;
  }
  return details;
}

function members(reference) {
  const schema = resolve(reference);
  const list = Object.entries(schema.properties ?? {}).map(([name, member]) =>
    described(name, member, member.description ?? resolve(member).description, schema.required?.includes(name)));
  const choices = (schema.oneOf ?? schema.anyOf) ? inner({ oneOf: schema.oneOf ?? schema.anyOf }) : [];
  return [...paragraphs(schema.description), element("dl", {}, list), ...choices];
}

function content(of) {
  return Object.entries(of ?? {}).map(([type, { schema, example }]) => [
    element("p", {}, element("code", {}, type), " ", element("span", { class: "quiet" }, kind(schema))),
    example === undefined ? null : element("pre", {}, JSON.stringify(example, null, 2)),
    inner(schema),
  ]);
}

function section(title, ...children) {
  return children.flat().length ? [element("h4", {}, title), ...children] : [];
}

function operation(path, method, of) {
  const parameters = (of.parameters ?? []).map((parameter) =>
    described(`${parameter.name} (${parameter.in})`, parameter.schema, parameter.description, parameter.required));
  const answers = Object.entries(of.responses).map(([status, reference]) => {
    const answer = resolve(reference);
    const headers = Object.entries(answer.headers ?? {}).map(([name, header]) =>
      described(name, header.schema, header.description, header.required));
    const title = [element("code", {}, status), " ", ...prose(answer.description)];
    const details = element("details", {}, element("summary", {}, title), element("dl", {}, headers), content(answer.content));
    details.open = status.startsWith("2");
    return details;
  });
  return element("section", { id: of.operationId },
    element("h3", {}, element("span", { class: "method" }, method.toUpperCase()), element("code", {}, path)),
    element("p", {}, prose(of.summary), ". ", prose(of.description)),
    section("Parameters", parameters.length ? element("dl", {}, parameters) : []),
    section("Body", content(of.requestBody?.content)),
    section("Answers", answers));
}

const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, of]) => ({ path, method, of })));
const groups = api.tags.map((tag) => ({
  tag,
  own: operations.filter(({ of }) => of.tags.includes(tag.name)),
})).filter(({ own }) => own.length);

document.getElementById("list").replaceChildren(...groups.map(({ tag, own }) =>
  element("div", {}, element("p", { class: "quiet" }, tag.name),
    own.map(({ of }) => element("a", { href: `#${of.operationId}` }, of.summary)))));

document.getElementById("page").replaceChildren(
  element("h1", {}, `${api.info.title} API `, element("span", { class: "quiet" }, api.info.version)),
  ...paragraphs(api.info.description),
  element("p", {}, "The same as a document: ", element("a", { href: "/openapi.json" }, "/openapi.json")),
  ...groups.flatMap(({ tag, own }) => [
    element("h2", {}, tag.name),
    ...paragraphs(tag.description),
    ...own.map(({ path, method, of }) => operation(path, method, of)),
  ]));

// The browser looked for the place before it was there.
if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
