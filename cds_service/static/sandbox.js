// Comfort only: the page works without it, but for feedback, which an EHR posts and a form cannot.

const byId = (id) => document.getElementById(id);

function searchStories() {
  const box = byId("search");
  const groups = [...document.querySelectorAll(".stories .group")];
  const openAtFirst = new Map(groups.map((group) => [group, group.open]));
  box.closest("[hidden]").hidden = false;
  box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let hits = 0;
    for (const group of groups) {
      let here = 0;
      for (const story of group.querySelectorAll("li")) {
        story.hidden = !words.every((word) => story.dataset.words.includes(word));
        here += story.hidden ? 0 : 1;
      }
      group.hidden = here === 0;
      group.open = words.length ? here > 0 : openAtFirst.get(group);
      hits += here;
    }
    byId("hits").textContent = words.length ? `${hits} found` : "";
  });
}

function foldStoriesOnSmallScreens() {
  if (window.matchMedia("(max-width: 60rem)").matches) byId("choose").open = false;
}

function pointAtFault() {
  const fault = byId("refused");
  if (!fault || !fault.dataset.line) return;
  const text = byId("request");
  const lines = text.value.split("\n");
  const line = Number(fault.dataset.line) - 1;
  const start = lines.slice(0, line).reduce((sum, each) => sum + each.length + 1, 0);
  const at = start + Number(fault.dataset.column) - 1;
  fault.querySelector("a").addEventListener("click", (event) => {
    event.preventDefault();
    text.focus();
    text.setSelectionRange(at, start + (lines[line] ?? "").length);
    text.scrollTop = (line - 3) * (text.scrollHeight / lines.length);
  });
}

async function post(card, item) {
  const body = { feedback: [{ card: card.dataset.card, outcomeTimestamp: new Date().toISOString(), ...item }] };
  const sent = JSON.stringify(body, null, 2);
  const place = byId("feedback");
  let answer;
  try {
    const response = await fetch(card.dataset.feedback, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: sent,
    });
    answer = `${response.status} ${await response.text()}`;
  } catch {
    answer = "The service could not be reached.";
  }
  place.replaceChildren(shown("Feedback sent", sent), shown("Its answer", answer));
}

function shown(title, text) {
  const part = document.createElement("div");
  const heading = document.createElement("h3");
  const pre = document.createElement("pre");
  heading.textContent = title;
  pre.textContent = text;
  pre.tabIndex = 0;
  part.append(heading, pre);
  return part;
}

function overriding() {
  const chosen = byId("reason").selectedOptions[0];
  const comment = byId("comment").value.trim();
  const reason = chosen.value && {
    code: chosen.value,
    system: chosen.dataset.system,
    display: chosen.textContent,
  };
  if (!reason && !comment) return { outcome: "overridden" };
  return { outcome: "overridden", overrideReason: { ...(reason && { reason }), ...(comment && { userComment: comment }) } };
}

function takeFeedback() {
  const card = document.querySelector("[data-card]");
  if (!card) return;
  for (const button of card.querySelectorAll("[data-accept]")) {
    button.disabled = false;
    button.addEventListener("click", () =>
      post(card, { outcome: "accepted", acceptedSuggestions: [{ id: button.dataset.accept }] }),
    );
  }
  const dismiss = card.querySelector("[data-override]");
  dismiss.disabled = false;
  dismiss.addEventListener("click", () => post(card, overriding()));
}

function copyTexts() {
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(byId(button.dataset.copy).textContent);
      byId("copied").textContent = "Copied.";
    });
  }
}

searchStories();
foldStoriesOnSmallScreens();
pointAtFault();
takeFeedback();
copyTexts();
