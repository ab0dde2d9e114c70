// The atlas: four controls and a chosen language make one state, which stands in the page's address.
// Every change of it fills the figures' data sets and signals, and writes the tables beneath them.
// Numbers lie in flat arrays, by step, layer and language (lingua_utils/charts/atlas.py packs them).
(() => {
  const root = document.getElementById("atlas");
  const data = JSON.parse(root.querySelector("script").textContent);
  const form = root.querySelector("form");
  const models = new Map(data.models.map((model) => [model.id, model]));
  const codes = new Map(Object.entries(data.languages).map(([code, language]) => [language.name, code]));
  const views = {};
  const tables = {};
  const nameOf = (code) => data.languages[code].name;
  const range = (n) => [...Array(n).keys()];
  const untrained = (model) => model.steps.indexOf(0);

  // ---- state ----------------------------------------------------------------------------------------------

  let state = {};

  function settle(wanted) {
    const model = models.get(wanted.model) ?? models.get(data.opening.model);
    const measures = Object.keys(data.measures).filter((name) => model.whole[name]);
    const measure = [wanted.measure, data.opening.measure, measures[0]].find((name) => measures.includes(name));
    const steps = model.steps.map(stepKey);
    const step = steps.includes(wanted.step) ? steps.indexOf(wanted.step) : steps.length - 1;
    const known = model.layers.indexOf(wanted.layer);
    const layer = known < 0 ? highest(model, measure, step) : known;
    const among = (name) => (model.languages.includes(codes.get(name)) ? name : "");
    const language = among(wanted.language);
    return { model, measure, layer, step, language, other: language && among(wanted.with) };
  }

  function address() {
    const parts = { model: state.model.id, measure: state.measure, layer: state.model.layers[state.layer] };
    parts.step = stepKey(state.model.steps[state.step]);
    if (state.language) parts.language = state.language;
    if (state.other) parts.with = state.other;
    return parts;
  }

  const read = () => Object.fromEntries(new URLSearchParams(location.hash.slice(1)));

  function choose(changes) {
    state = settle({ ...address(), ...changes });
    history.replaceState(null, "", `#${new URLSearchParams(address())}`);
    show();
  }

  // ---- numbers --------------------------------------------------------------------------------------------

  function at(model, level, measure, step, layer, index = 0) {
    const held = model[level][measure];
    const n = model.languages.length;
    if (!held || step < 0) return {};
    const size = { whole: 1, each: n, pairs: n * n }[level];
    const start = ((step * model.layers.length + layer) * size + index) * held.columns.length;
    const numbers = held.columns.map((_, i) => held.numbers[start + i]);
    return Object.fromEntries(
      held.columns.map((name, i) => [name, numbers[i] === null ? undefined : numbers[i] / data.precision]),
    );
  }

  function highest(model, measure, step) {
    const values = range(model.layers.length).map((layer) => at(model, "whole", measure, step, layer).value ?? -2);
    return values.indexOf(Math.max(...values));
  }

  // What is drawn beside each other: the model as it is chosen, and its untrained twin.
  function series() {
    const twin = { series: "untrained twin", step: untrained(state.model) };
    const chosen = { series: "model", step: state.step };
    return [...(state.step === twin.step ? [] : [chosen]), ...(twin.step < 0 ? [] : [twin])];
  }

  const stepKey = (step) => (step === null ? "finished" : String(step));
  const stepName = (step) => ({ null: "finished", 0: "untrained" })[step] ?? `step ${step.toLocaleString("en")}`;
  const layerName = (model, layer) => {
    const label = model.layers[layer];
    return label.includes(" ") ? label.replace(" ", " layer ") : `layer ${label}`;
  };
  // As the figures write numbers: ".2f", ".0%".
  function text(value) {
    const [, digits, kind] = data.measures[state.measure].form;
    if (value === undefined) return "–";
    const number = (kind === "%" ? 100 * value : value).toFixed(digits).replace(/^-(?=[0.]+$)/, "");
    return kind === "%" ? `${number}%` : number;
  }
  const interval = ({ low, high }) => (low === undefined ? "–" : `${text(low)} to ${text(high)}`);
  const told = (number) => ({ ...number, shown: text(number.value), interval: interval(number) });
  const withInterval = (number) =>
    number.low === undefined ? text(number.value) : `${text(number.value)} (${interval(number)})`;
  const exact = (value) => (value === undefined ? "" : String(value));

  function languageRows() {
    const { model, measure, layer, step } = state;
    const rows = model.languages.map((code, index) => ({
      ...data.languages[code],
      language: nameOf(code),
      ...told(at(model, "each", measure, step, layer, index)),
      twin: at(model, "each", measure, untrained(model), layer, index).value,
    }));
    return rows.filter((row) => row.value !== undefined);
  }

  // ---- figures --------------------------------------------------------------------------------------------

  // A figure is there when it has rows; it says what is to be seen, and gives its data sets and its table.
  const figures = {
    layers() {
      const { model, measure, layer, step } = state;
      const places = range(model.layers.length).map((at) => ({ at, step, layer: at, place: layerName(model, at) }));
      const best = highest(model, measure, step);
      const [value, most] = [layer, best].map((place) => withInterval(at(model, "whole", measure, step, place)));
      const peak = best === layer ? ", where it is highest" : `; highest in ${layerName(model, best)}, ${most}`;
      return {
        heading: `${value} in ${layerName(model, layer)}${peak}${besideTwin(layer)}`,
        ...lines(places, layer, model.layers, "layer", (place) => ({ layer: model.layers[place.at] })),
      };
    },

    steps() {
      const { model, measure, layer } = state;
      const trained = range(model.steps.length).filter((step) => model.steps[step] !== null);
      if (trained.length < 3) return null;
      const places = trained.map((step) => {
        const name = stepName(model.steps[step]);
        return { at: model.steps[step], step, layer, place: name };
      });
      const said = ({ step, place }) => `${withInterval(at(model, "whole", measure, step, layer))} (${place})`;
      const ticks = places.map((place) => place.at);
      return {
        heading: `In ${layerName(model, layer)} it goes from ${said(places[0])} to ${said(places.at(-1))}`,
        ...lines(places, model.steps[state.step], ticks, "step", (place) => ({ step: stepKey(place.at) })),
      };
    },

    languages() {
      const { model, measure, layer } = state;
      if (model.languages.length > data.many || !model.each[measure]) return null;
      const cells = series().flatMap(({ series, step }) =>
        range(model.layers.length).flatMap((place) =>
          model.languages.map((code, index) => ({
            series,
            language: nameOf(code),
            layer: model.layers[place],
            here: place === layer,
            ...told(at(model, "each", measure, step, place, index)),
          })),
        ),
      );
      return cellsOf(cells, "layer", extremes(languageRows(), (row) => row.language), (row) => ({
        layer: row.layer,
        language: row.language,
        with: "",
      }));
    },

    families() {
      if (state.model.languages.length <= data.many) return null;
      const rows = languageRows().sort((a, b) => a.rank - b.rank || b.value - a.value);
      if (!rows.length) return null;
      const dots = rows.map((row) => ({
        ...row,
        colour: row.family_colour,
        twin: text(row.twin),
        twin_value: row.twin ?? null,
      }));
      return {
        heading: extremes(rows, (row) => row.language),
        subheading: "a dot for each language · ticks: untrained twin",
        signals: { n_families: new Set(rows.map((row) => row.family)).size },
        data: { dots },
        table: {
          columns: ["language", "family", "value", "low", "high", "untrained twin"],
          rows: rows.map((row) => ({
            cells: [row.language, row.family, ...[row.value, row.low, row.high, row.twin].map(exact)],
            choice: { language: row.language, with: "" },
          })),
        },
      };
    },

    pairs() {
      const { model, measure, layer } = state;
      if (!model.pairs[measure]) return null;
      const n = model.languages.length;
      const cells = series().flatMap(({ series, step }) =>
        range(n * n).map((index) => ({
          series,
          language: nameOf(model.languages[Math.floor(index / n)]),
          other: nameOf(model.languages[index % n]),
          here: nameOf(model.languages[index % n]) === state.other,
          ...told(at(model, "pairs", measure, step, layer, index)),
        })),
      );
      const own = cells.filter((row) => row.series === cells[0].series && row.value !== undefined);
      return cellsOf(cells, "other", extremes(own, (row) => `${row.language} with ${row.other}`), (row) => ({
        language: row.language,
        with: row.other,
      }));
    },
  };

  function besideTwin(layer) {
    const twin = untrained(state.model);
    if (twin < 0) return "; no untrained twin was measured";
    if (twin === state.step) return "";
    return `; untrained twin ${withInterval(at(state.model, "whole", state.measure, twin, layer))}`;
  }

  function extremes(rows, name) {
    const sorted = [...rows].sort((a, b) => b.value - a.value);
    const { language, other } = state;
    const chosen = rows.find((row) => row.language === language && (row.other === undefined || row.other === other));
    const said = (row) => `${name(row)} ${withInterval(row)}`;
    const ends = `highest ${said(sorted[0])}, lowest ${said(sorted.at(-1))}`;
    const where = `In ${layerName(state.model, state.layer)}`;
    return chosen ? `${where}: ${said(chosen)}; ${ends}` : `${where}: ${ends}`;
  }

  // Lines over layers or steps: the mean of all languages, the twin's, and every language.
  function lines(places, here, names, column, choice) {
    const { model, measure } = state;
    const beside = data.measures[measure].beside;
    const twin = untrained(model);
    const isMany = model.languages.length > data.many;
    const drawn = column === "layer" ? series() : [{ series: "model" }, { series: "untrained twin", step: twin }];
    const whole = drawn.flatMap(({ series, step }) =>
      places.map((place) => ({
        ...place,
        series,
        ...told(at(model, "whole", measure, step ?? place.step, place.layer)),
        choice: choice(place),
      })),
    );
    const languages = places.flatMap((place) =>
      model.languages.map((code, index) => ({
        at: place.at,
        language: nameOf(code),
        colour: data.languages[code][isMany ? "family_colour" : "colour"],
        weight: isMany ? 0.15 : 0.7,
        ...at(model, "each", measure, place.step, place.layer, index),
      })),
    );
    const chosen = model.languages.indexOf(codes.get(state.language));
    return {
      subheading: `thick: all languages, band: 95 % interval · thin: each language · dotted: ${beside}`,
      signals: { names },
      data: { whole, languages: languages.filter((row) => row.value !== undefined), here: [{ at: here }] },
      table: {
        columns: [column, "value", "low", "high", beside, "untrained twin", ...(chosen < 0 ? [] : [state.language])],
        rows: places.map((place) => {
          const { value, low, high, null: none } = at(model, "whole", measure, place.step, place.layer);
          const ofTwin = at(model, "whole", measure, twin, place.layer).value;
          const more = chosen < 0 ? [] : [at(model, "each", measure, place.step, place.layer, chosen).value];
          const cells = [place.place, ...[value, low, high, none, ofTwin, ...more].map(exact)];
          return { cells, choice: choice(place), here: place.at === here };
        }),
      },
    };
  }

  // Squares of languages by layers or by languages, of the model and of its twin.
  function cellsOf(cells, column, heading, choice) {
    const values = cells.map((row) => row.value).filter((value) => value !== undefined);
    const own = cells.filter((row) => row.series === cells[0].series && row.value !== undefined);
    const key = (row) => `${row.language} ${row[column]}`;
    const ofTwin = cells.filter((row) => row.series === "untrained twin");
    const twins = new Map(ofTwin.map((row) => [key(row), row.value]));
    const title = column === "other" ? "with" : column;
    return {
      heading,
      subheading: "press a square for its sentences and neurons",
      signals: { limits: [Math.min(0, ...values), Math.max(...values)] },
      data: { cells: cells.filter((row) => row.value !== undefined) },
      table: {
        columns: ["language", title, "value", "low", "high", "untrained twin"],
        rows: own.map((row) => ({
          cells: [row.language, row[column], ...[row.value, row.low, row.high, twins.get(key(row))].map(exact)],
          choice: choice(row),
          here: row.here && row.language === state.language,
        })),
      },
    };
  }

  // ---- the page -------------------------------------------------------------------------------------------

  function element(tag, content = "", attributes = "") {
    const holder = document.createElement("template");
    holder.innerHTML = `<${tag} ${attributes}></${tag}>`;
    holder.content.firstChild.append(...[content].flat());
    return holder.content.firstChild;
  }

  function show() {
    showControls();
    for (const figure of root.querySelectorAll("figure")) {
      const name = figure.dataset.figure;
      const filled = figures[name]();
      figure.hidden = filled === null;
      if (filled) {
        fill(views[name], filled);
        tables[name] = withoutEmpty(filled.table);
        showTable(figure.querySelector(".atlas-table"), tables[name]);
      }
    }
    showCell();
    // A figure that was hidden had no width.
    window.dispatchEvent(new Event("resize"));
  }

  function fill(view, { heading, subheading, signals = {}, data: sets }) {
    const width = Math.max(30, root.clientWidth / 8);
    const { model, measure, step } = state;
    const what = `${model.name}, ${stepName(model.steps[step])}: ${data.measures[measure].label}`;
    const given = {
      heading: wrapped(`${what}. ${heading}.`, width),
      subheading: wrapped(subheading, width),
      form: data.measures[measure].form,
      chosen: state.language,
      other: state.other,
      ...signals,
    };
    for (const [name, value] of Object.entries(given)) view.signal(name, value);
    for (const [name, rows] of Object.entries(sets)) view.data(name, rows);
    view.resize().runAsync();
  }

  // Not every measure has an interval or a twin.
  function withoutEmpty({ columns, rows }) {
    const kept = range(columns.length).filter((i) => rows.some(({ cells }) => cells[i] !== ""));
    const pick = (cells) => kept.map((i) => cells[i]);
    return { columns: pick(columns), rows: rows.map((row) => ({ ...row, cells: pick(row.cells) })) };
  }

  function wrapped(line, width) {
    return line.split(" ").reduce((lines, word) => {
      const last = lines.at(-1);
      if (last !== undefined && last.length + word.length < width) return [...lines.slice(0, -1), `${last} ${word}`];
      return [...lines, word];
    }, []);
  }

  function showControls() {
    const { model, measure, layer, step } = state;
    const option = (label, value, selected, disabled = false) =>
      Object.assign(element("option", label), { value, selected, disabled });
    const names = Object.entries(data.measures);
    form.model.replaceChildren(...data.models.map(({ id, name }) => option(name, id, id === model.id)));
    form.measure.replaceChildren(
      ...names.map(([name, { label }]) => option(label, name, name === measure, !model.whole[name])),
    );
    slide(form.layer, model.layers.length, layer, layerName(model, layer));
    slide(form.step, model.steps.length, step, stepName(model.steps[step]));
    form.all.hidden = !state.language;
    form.all.textContent = `${[state.language, state.other].filter(Boolean).join(" with ")} ×`;
    form.all.setAttribute("aria-label", `${form.all.textContent.slice(0, -2)}: show all languages again`);
  }

  function slide(input, count, value, name) {
    Object.assign(input, { max: count - 1, value });
    input.setAttribute("aria-valuetext", name);
    input.nextElementSibling.textContent = name;
  }

  function showTable(holder, { columns, rows }) {
    const focused = [...holder.querySelectorAll("button")].indexOf(document.activeElement);
    const head = element("tr", columns.map((column) => element("th", column, 'scope="col"')));
    const body = rows.map(({ cells: [first, ...rest], choice, here }) => {
      const button = element("button", first, `type="button" aria-pressed="${Boolean(here)}"`);
      button.addEventListener("click", () => choose(choice));
      return element("tr", [element("th", button, 'scope="row"'), ...rest.map((cell) => element("td", cell))]);
    });
    holder.replaceChildren(element("table", [element("thead", head), element("tbody", body)]));
    holder.querySelectorAll("button")[focused]?.focus({ preventScroll: true });
  }

  // What a chosen cell is made of: its number, its sentences or where they stand, and its key neurons.
  function showCell() {
    const { model, measure, layer, step, language, other } = state;
    const section = root.querySelector("section");
    section.hidden = !language;
    if (!language) return;
    const index = model.languages.indexOf(codes.get(language));
    const pair = index * model.languages.length + model.languages.indexOf(codes.get(other));
    const [level, place] = other && model.pairs[measure] ? ["pairs", pair] : ["each", index];
    const number = at(model, level, measure, step, layer, place);
    const twin = at(model, level, measure, untrained(model), layer, place);
    const title = [language, other].filter(Boolean).join(" with ");
    const { label, beside: by } = data.measures[measure];
    const beside = number.null === undefined ? "" : `; ${by}: ${text(number.null)}`;
    section.replaceChildren(
      element("h3", `${title}, ${layerName(model, layer)}, ${stepName(model.steps[step])}`),
      element("p", `${label}: ${withInterval(number)}; untrained twin: ${withInterval(twin)}${beside}.`),
      ...sentences([language, other].filter(Boolean)),
      element("p", neurons(language)),
    );
  }

  function sentences(shown) {
    const { addresses, sentences: texts } = data.texts[state.model.text];
    const languages = shown.map((name) => codes.get(name));
    if (addresses) {
      const link = (code) => Object.assign(element("a", `${nameOf(code)}`), { href: addresses[code] });
      const links = languages.flatMap((code, i) => (i ? [", ", link(code)] : [link(code)]));
      return [element("p", [`The sentences are those of ${state.model.text}: `, ...links, "."])];
    }
    const english = codes.get("English");
    const both = [...new Set([...languages, english])].filter((code) => texts[code]);
    const rows = (texts[both[0]] ?? []).flatMap((_, i) =>
      both.map((code) => {
        const sentence = element("td", texts[code][i], data.languages[code].attributes);
        return element("tr", [element("th", nameOf(code), 'scope="row"'), sentence]);
      }),
    );
    const table = element("table", element("tbody", rows), 'class="side-by-side"');
    return [element("p", "Sentences that were measured, the first ones:"), table];
  }

  function neurons(language) {
    const { model, layer, step } = state;
    if (!model.neurons) return "Which neurons are key was not published for this model.";
    const found = model.neurons[`${step} ${layer} ${codes.get(language)}`];
    const name = `Key neurons of ${language} in ${layerName(model, layer)}, the strongest first`;
    return found ? `${name}: ${found.join(", ")}.` : `${language} has no key neuron in ${layerName(model, layer)}.`;
  }

  // ---- what is fetched ------------------------------------------------------------------------------------

  async function fetchFigure(name, kind) {
    const quoted = (cell) => (/[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
    const { columns, rows } = tables[name];
    const lines = [columns, ...rows.map((row) => row.cells)].map((cells) => `${cells.map(quoted).join(",")}\n`);
    const csv = () => URL.createObjectURL(new Blob(lines, { type: "text/csv" }));
    const url = kind === "csv" ? csv() : await views[name].toImageURL(kind, 2);
    const file = [state.model.id, state.measure, name].join("-").replaceAll(" ", "-");
    Object.assign(document.createElement("a"), { href: url, download: `${file}.${kind}` }).click();
  }

  function pressed(event, item) {
    const row = item?.datum;
    if (!row) return;
    if (row.choice) choose(row.choice);
    else if (row.other) choose({ language: row.language, with: row.other });
    else if (row.language) choose({ language: row.language, with: "", ...(row.layer && { layer: row.layer }) });
  }

  async function open() {
    form.hidden = root.querySelector(".atlas-figures").hidden = false;
    root.querySelector(".atlas-alone").remove();
    for (const figure of root.querySelectorAll("figure")) {
      const name = figure.dataset.figure;
      const holder = figure.querySelector(".atlas-chart");
      // Errors only: of axes that are empty until they are filled Vega would warn.
      const options = { actions: false, renderer: "svg", logLevel: 1 };
      views[name] = (await vegaEmbed(holder, data.figures[name], options)).view;
      views[name].addEventListener("click", pressed);
      figure.addEventListener("click", ({ target }) => target.dataset.fetch && fetchFigure(name, target.dataset.fetch));
    }
    state = settle({ ...data.opening, ...read() });
    show();
    form.addEventListener("submit", (event) => event.preventDefault());
    form.model.addEventListener("change", () => choose({ model: form.model.value }));
    form.measure.addEventListener("change", () => choose({ measure: form.measure.value }));
    form.layer.addEventListener("input", () => choose({ layer: state.model.layers[form.layer.value] }));
    form.step.addEventListener("input", () => choose({ step: stepKey(state.model.steps[form.step.value]) }));
    form.all.addEventListener("click", () => choose({ language: "", with: "" }));
    window.addEventListener("hashchange", () => {
      if (location.hash.includes("model=")) {
        state = settle(read());
        show();
      }
    });
  }

  open();
})();
