'use strict';
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const entries = Array.from(document.querySelectorAll('article.entry'));
  document.documentElement.classList.add('js');
  if (entries.length === 0) {
    return;
  }
  const element = (id) => document.getElementById(id);
  const message = element('message');
  // By the number of the entry: { verdict, at }. Notes stay in their inputs until they are saved.
  const marks = new Map();
  let unsaved = false;

  const noteOf = (entry) => entry.querySelector('.comment input');
  const numberOf = (entry) => entries.indexOf(entry);

  const showProgress = () => {
    element('done').textContent = `${marks.size} of ${entries.length} marked`;
    element('done-bar').value = marks.size;
  };

  const setMark = (entry, verdict, at) => {
    const choice = entry.querySelector(`.marks input[value="${verdict}"]`);
    choice.checked = true;
    if (verdict === 'none') {
      marks.delete(numberOf(entry));
      delete entry.dataset.mark;
    } else {
      marks.set(numberOf(entry), { verdict, at });
      entry.dataset.mark = verdict;
    }
    unsaved = true;
    showProgress();
  };

  const filters = ['type', 'field', 'kind'];
  const matchesMark = (entry, wanted) => {
    const mark = entry.dataset.mark;
    return wanted === '' || (wanted === 'none' ? !mark : wanted === 'any' ? !!mark : mark === wanted);
  };
  const filter = () => {
    for (const entry of entries) {
      const matches = filters.every((name) => {
        const wanted = element(`filter-${name}`).value;
        return wanted === '' || entry.dataset[name] === wanted;
      });
      entry.hidden = !(matches && matchesMark(entry, element('filter-mark').value));
    }
    for (const group of document.querySelectorAll('section.field, section.type')) {
      group.hidden = !group.querySelector('article.entry:not([hidden])');
    }
    const shown = entries.filter((entry) => !entry.hidden).length;
    message.textContent = shown === entries.length ? '' : `${shown} of ${entries.length} shown`;
  };

  const current = () => document.activeElement.closest('article.entry');
  const move = (step) => {
    const shown = entries.filter((entry) => !entry.hidden);
    const place = shown.indexOf(current());
    const next = shown[place === -1 && step > 0 ? 0 : place + step];
    if (next) {
      next.focus();
      next.scrollIntoView({ block: 'start' });
    }
  };

  const keys = {
    j: () => move(1),
    k: () => move(-1),
    a: (entry) => { setMark(entry, 'accept', Date.now()); move(1); },
    r: (entry) => { setMark(entry, 'reject', Date.now()); move(1); },
    u: (entry) => setMark(entry, 'none'),
    n: (entry) => noteOf(entry).focus(),
  };
  document.addEventListener('keydown', (event) => {
    const entry = current();
    if (event.key === 'Escape' && entry && event.target === noteOf(entry)) {
      entry.focus();
      return;
    }
    const types = event.target.matches('input:not([type=radio], [type=checkbox]), select, textarea');
    const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (types || !isPlain || !element('keys').checked || !Object.hasOwn(keys, event.key)) {
      return;
    }
    if (entry || event.key === 'j' || event.key === 'k') {
      event.preventDefault();
      keys[event.key](entry);
    }
  });

  document.addEventListener('change', (event) => {
    const entry = event.target.closest('article.entry');
    if (entry && event.target.type === 'radio') {
      setMark(entry, event.target.value, Date.now());
    } else if (event.target.id.startsWith('filter-')) {
      filter();
    }
  });
  document.addEventListener('input', (event) => {
    unsaved = unsaved || !!event.target.closest('.comment');
  });
  element('tools').addEventListener('submit', (event) => event.preventDefault());

  const save = () => {
    const reviewer = element('reviewer').value.trim();
    if (reviewer === '') {
      message.textContent = 'Write your name first: the file says who marked.';
      element('reviewer').focus();
      return;
    }
    const ordered = Array.from(marks).sort(([one], [other]) => one - other);
    const saved = {
      format: 1,
      report: data.report,
      production: data.production,
      candidate: data.candidate,
      reviewer,
      saved_at: Date.now(),
      marks: ordered.map(([number, { verdict, at }]) => ({
        entry: number + 1,
        ...data.entries[number],
        verdict,
        note: noteOf(entries[number]).value.trim(),
        marked_at: at,
      })),
    };
    const file = new Blob([JSON.stringify(saved, null, 1) + '\n'], { type: 'application/json' });
    const link = document.createElement('a');
    link.href = URL.createObjectURL(file);
    link.download = `marks-${data.report}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    unsaved = false;
    message.textContent = `Saved ${marks.size} of ${entries.length}.`;
  };
  element('save').addEventListener('click', save);

  const load = async () => {
    const [file] = element('load').files;
    try {
      const saved = JSON.parse(await file.text());
      if (saved.report !== data.report) {
        message.textContent = 'That file has marks of another report.';
        return;
      }
      for (const { entry: number, verdict, note, marked_at: at } of saved.marks) {
        const entry = entries[number - 1];
        if (entry && ['accept', 'reject'].includes(verdict)) {
          setMark(entry, verdict, at);
          noteOf(entry).value = note;
        }
      }
      element('reviewer').value = saved.reviewer;
      unsaved = false;
      message.textContent = `Continued with ${marks.size} marks.`;
    } catch {
      message.textContent = 'That file has no marks of this page.';
    }
  };
  element('load').addEventListener('change', load);

  window.addEventListener('beforeunload', (event) => {
    if (unsaved && marks.size > 0) {
      event.preventDefault();
    }
  });

  // A browser that restores a form restores its marks too.
  for (const entry of entries) {
    const checked = entry.querySelector('.marks input:checked');
    if (checked && checked.value !== 'none') {
      setMark(entry, checked.value, Date.now());
    }
  }
  showProgress();
})();
