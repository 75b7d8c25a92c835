import assert from "node:assert/strict";
import { escapeMarkdown } from "../../../trainer/report/escape_markdown.ts";
import { fileName } from "../../../trainer/report/file_name.ts";
import { markup } from "../../../trainer/report/markup.ts";

Deno.test("markup escapes words in texts and in attributes, and no markup", () => {
  const words = `<b title="x">Tom & 'Jerry'</b>`;
  const escaped = "&lt;b title=&quot;x&quot;&gt;Tom &amp; &#39;Jerry&#39;&lt;/b&gt;";
  assert.equal(
    markup`<p title="${words}">${words}${markup`<br>`}</p>`.text,
    `<p title="${escaped}">${escaped}<br></p>`,
  );
});

Deno.test("markup shows lists one after another, and nothing of undefined and false", () => {
  assert.equal(markup`${[1, "a<", [undefined, false], markup`<hr>`]}`.text, "1a&lt;<hr>");
});

Deno.test("markup replaces what XML does not allow", () => {
  assert.equal(markup`${"a\0b\x1bc\ud800d\uffff"}`.text, "a\ufffdb\ufffdc\ufffdd\ufffd");
  assert.equal(markup`${"tab\tline\n😀"}`.text, "tab\tline\n😀");
});

Deno.test("fileName() may break after folders, and keeps the direction of its letters to itself", () => {
  assert.equal(
    fileName("a/b_c.jpg").text,
    '<bdi class="name">a/<wbr>b_<wbr>c.jpg</bdi>',
  );
});

Deno.test("escapeMarkdown() lets no word start a cell, a link, a tag or a list", () => {
  assert.equal(
    escapeMarkdown("a|b [c](d) <e> *f* `g` \\ & h\ni"),
    "a\\|b \\[c\\](d) \\<e\\> \\*f\\* \\`g\\` \\\\ &amp; h i",
  );
  assert.equal(escapeMarkdown("# a"), "\\# a");
  assert.equal(escapeMarkdown("12. a"), "12\\. a");
  assert.equal(escapeMarkdown("---"), "--\\-");
  assert.equal(escapeMarkdown("12.5 and -3"), "12.5 and -3");
});
