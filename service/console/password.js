/** One's own password, changed. Read from the menu of the person. */

import { html, say, t, useState } from "../pages/ui.js";
import { Problem, send } from "./api.js";
import { Dialog, Trouble } from "./parts.js";

const SHORTEST = 10;
const LONGEST = 256;

export function PasswordChange({ onClose }) {
  const [said, setSaid] = useState({ old: "", fresh: "", again: "" });
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const set = (name) => (event) => setSaid({ ...said, [name]: event.target.value });
  async function change(event) {
    event.preventDefault();
    setProblem(null);
    if (said.fresh !== said.again) return setProblem(new Problem({ status: 0, code: "password_differs" }));
    setBusy(true);
    try {
      await send("POST", "/v1/me/password", { old: said.old, new: said.fresh });
      say(t("console.password_changed"));
      onClose();
    } catch (wrong) {
      setProblem(wrong);
      setBusy(false);
    }
  }
  const field = (name, label, autocomplete, least) => html`<label>${label} <input type="password" value=${said[name]} onInput=${set(name)} autocomplete=${autocomplete} required minlength=${least} maxlength=${LONGEST} /></label>`;
  return html`<${Dialog} title=${t("console.password_change")} onClose=${onClose}>
    <form onSubmit=${change}>
      ${field("old", t("console.password_old"), "current-password", 1)}
      ${field("fresh", t("console.password_new", { least: SHORTEST }), "new-password", SHORTEST)}
      ${field("again", t("console.password_again"), "new-password", SHORTEST)}
      <p class="muted">${t("console.password_why")}</p>
      <${Trouble} problem=${problem} />
      <footer><button disabled=${busy} aria-busy=${busy}>${t("console.password_change")}</button></footer>
    </form>
  </${Dialog}>`;
}
