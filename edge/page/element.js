// @ts-check
/// <reference lib="dom" />
/**
 * Elements of the page: those that index.html has, and new ones. Text always goes in as text, never
 * as HTML, so that nothing that a picture is called or a server says can become a part of the page.
 *
 * @module
 */

/**
 * The element of the page with this id.
 *
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 * @throws {TypeError} if the page has no such element
 */
export function part(id, type) {
  const found = document.getElementById(id);
  if (found instanceof type) return found;
  throw new TypeError(`Cannot start the page: index.html has no ${type.name} with id "${id}"`);
}

/**
 * A new element with properties and children.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Partial<HTMLElementTagNameMap[K]>} [properties]
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/**
 * @param {string} textContent
 * @param {() => void} act
 * @returns {HTMLButtonElement}
 */
export function button(textContent, act) {
  const made = element("button", { type: "button", textContent });
  made.addEventListener("click", act);
  return made;
}

/**
 * A paragraph in small print.
 *
 * @param {string} textContent
 */
export function quiet(textContent) {
  return element("p", { className: "quiet", textContent });
}

/**
 * Something that is one click away.
 *
 * @param {string} title
 * @param {(Node | string)[]} content
 */
export function folded(title, ...content) {
  return element("details", {}, element("summary", { textContent: title }), ...content);
}

/**
 * Text as it is, in a box that the keyboard can scroll.
 *
 * @param {string} textContent
 * @param {string} name what it is, for those who do not see it
 */
export function code(textContent, name) {
  const box = element("pre", { tabIndex: 0, textContent });
  box.role = "group";
  box.ariaLabel = name;
  return box;
}

/**
 * Terms and what is said of them; what nobody knows is left out.
 *
 * @param {readonly (readonly [string, Node | string | undefined])[]} facts
 */
export function glossary(facts) {
  const list = element("dl");
  for (const [term, said] of facts) {
    if (said) list.append(element("dt", { textContent: term }), element("dd", {}, said));
  }
  return list;
}
