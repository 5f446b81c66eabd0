(() => {
  'use strict';
  // Keeps the page new: waits for a change, takes the page as the box would show it now, and
  // alters only what differs, so focus, scroll position and what is unfolded stay.
  const $ = (id) => document.getElementById(id);
  const PART = {'X-Part': '1'};
  const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
  const main = $('main'), away = $('away'), said = $('said');
  let gone = 0, quiet;

  function morph(old, now) {
    if (old.isEqualNode(now)) return;
    if (old.nodeType !== now.nodeType || old.nodeName !== now.nodeName || old.id !== now.id) {
      old.replaceWith(now);
      return;
    }
    if (old.nodeType !== 1) {
      old.nodeValue = now.nodeValue;
      return;
    }
    for (const {name} of [...old.attributes]) {
      const kept = name === 'open' && old.nodeName === 'DETAILS';
      if (!now.hasAttribute(name) && !kept) old.removeAttribute(name);
    }
    for (const {name, value} of now.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    const named = new Map();
    for (const child of old.children) if (child.id) named.set(child.id, child);
    let at = old.firstChild;
    for (const child of [...now.childNodes]) {
      const same = child.id && named.get(child.id);
      if (same) {
        named.delete(child.id);
        if (same === at) at = at.nextSibling;
        else old.insertBefore(same, at);
        morph(same, child);
      } else if (at && !at.id && !child.id) {
        const next = at.nextSibling;
        morph(at, child);
        at = next;
      } else {
        old.insertBefore(child, at);
      }
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  }

  function show(text) {
    const page = new DOMParser().parseFromString(text, 'text/html');
    const now = page.getElementById('main');
    if (!now) throw new Error('no page');
    if (document.title !== page.title) document.title = page.title;
    morph(main, document.adoptNode(now));
    const nav = page.getElementById('nav');
    if (nav) morph($('nav'), document.adoptNode(nav));
    const word = page.getElementById('said');
    if (word && !word.hidden) tell(word.textContent, word.className);
  }

  function tell(words, kind) {
    clearTimeout(quiet);
    said.className = kind;
    said.textContent = words;
    said.hidden = false;
    quiet = setTimeout(() => { said.hidden = true; }, 8000);
  }

  async function ask(url, options) {
    const answer = await fetch(url, {cache: 'no-store', signal: AbortSignal.timeout(35000), ...options});
    if (answer.status >= 500) throw new Error(answer.status);
    return answer;
  }

  function isHere() {
    gone = 0;
    away.hidden = true;
    document.body.classList.remove('away');
  }

  async function isAway() {
    gone = gone || Date.now();
    const seconds = Math.round((Date.now() - gone) / 1000);
    away.textContent = 'This box does not answer' + (seconds > 2 ? ' since ' + seconds + ' s' : '') + '; what you see is what was. Trying again …';
    away.hidden = false;
    document.body.classList.add('away');
    // At once, and ever less often: a box that starts is not asked by many browsers at a time.
    await sleep(Math.min(15000, 1000 + seconds * 250));
  }

  async function renew() {
    show(await (await ask(location.pathname + location.search, {headers: PART})).text());
  }

  async function follow() {
    for (;;) {
      try {
        if (document.hidden) {
          await new Promise((seen) => document.addEventListener('visibilitychange', seen, {once: true}));
          await renew();
        }
        const {revision, busy} = main.dataset;
        if (busy) {
          await sleep(1500);
        } else {
          const answer = await ask('/api/v1/changes?after=' + revision);
          if (!answer.ok) await sleep(5000);
        }
        await renew();
        isHere();
        await sleep(700);
      } catch (error) {
        await isAway();
      }
    }
  }

  document.addEventListener('submit', async (event) => {
    const form = event.target;
    if (form.method !== 'post' || form.dataset.whole) return;
    event.preventDefault();
    const buttons = form.querySelectorAll('button');
    buttons.forEach((button) => { button.disabled = true; });
    try {
      const body = new URLSearchParams(new FormData(form));
      const answer = await ask(form.action, {method: 'POST', body, headers: PART});
      if (answer.url.includes('/login')) location.assign('/login');
      else show(await answer.text());
      form.closest('details')?.removeAttribute('open');
    } catch (error) {
      tell('That did not work: this box does not answer.', 'said bad');
    }
    buttons.forEach((button) => { button.disabled = false; });
  });

  if (main.dataset.revision) follow();
})();
