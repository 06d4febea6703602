"use strict";
(() => {
  const root = document.documentElement;
  const style = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const plots = [...document.querySelectorAll(".plot")];
  const settings = { responsive: true, displaylogo: false, scrollZoom: false, displayModeBar: "hover",
    plotlyServerURL: "", modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]] };   // none that uploads

  // Plotly draws its own text and grid, so the page's colours are handed to it, again whenever the scheme changes.
  const colours = () => ({
    "font.color": style("--ink"), "xaxis.gridcolor": style("--grid"), "yaxis.gridcolor": style("--grid"),
    "hoverlabel.bgcolor": style("--card"), "hoverlabel.bordercolor": style("--line"),
    "hoverlabel.font.color": style("--ink"), "hoverlabel.align": "left",
    "modebar.color": style("--soft"), "modebar.bgcolor": "rgba(0,0,0,0)", "modebar.activecolor": style("--ink"),
  });
  const nest = (layout, changes) => {
    for (const [path, value] of Object.entries(changes)) {
      const keys = path.split("."); const last = keys.pop();
      let at = layout;
      for (const key of keys) at = at[key] ??= {};
      at[last] = value;
    }
    return layout;
  };
  const recolour = () => plots.forEach((p) => p.data && Plotly.relayout(p, colours()));

  const drawAll = async () => {
    for (const place of plots) {
      const figure = JSON.parse(document.getElementById(place.id + "-data").textContent);
      await Plotly.newPlot(place, figure.data, nest(figure.layout, colours()), settings);
    }
    root.dataset.ready = "yes";
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
  addEventListener("beforeprint", () => { root.classList.add("paper"); recolour(); });
  addEventListener("afterprint", () => { root.classList.remove("paper"); recolour(); });

  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    const key = (row, column) => {
      const cell = row.cells[column]; const given = cell.dataset.v ?? cell.textContent.trim();
      return given === "" ? null : isNaN(given) ? given : Number(given);
    };
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = head.querySelector("button");
      if (!button) return;
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const rows = [...body.rows].map((row) => [key(row, column), row]);
        rows.sort(([a], [b]) => a === null || b === null ? (a === null) - (b === null)
          : (up ? 1 : -1) * (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b))));
        body.append(...rows.map(([, row]) => row));
      });
    });
  }
  for (const button of document.querySelectorAll("button.more")) {
    button.addEventListener("click", () => {
      document.getElementById(button.dataset.table).classList.remove("folded");
      button.remove();
    });
  }
  for (const button of document.querySelectorAll("button.copy")) {
    button.addEventListener("click", async () => {
      const text = document.getElementById(button.dataset.from).textContent;
      try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; }
      catch { getSelection().selectAllChildren(document.getElementById(button.dataset.from)); }
    });
  }
  // A supernet that becomes a network: its slider moves how full boxes are, and how wide lines.
  const growth = document.getElementById("growth");
  if (growth) {
    const frames = JSON.parse(document.getElementById("growth-frames").textContent);
    const slider = growth.querySelector("input"); const said = growth.querySelector("output");
    const parts = [...growth.querySelectorAll("[data-r]")].map((e) => [e, Number(e.dataset.r), Number(e.dataset.k)]);
    const show = (at) => {
      const frame = frames[at];
      for (const [part, r, k] of parts) {
        const row = frame.shares[r];
        part.style.setProperty("--p", row[k]);
        part.style.setProperty("--q", row[k] / Math.max(...row));
      }
      growth.classList.toggle("over", at === frames.length - 1);
      slider.value = at; said.textContent = frame.name;
    };
    let playing = 0;
    const halt = () => { clearInterval(playing); playing = 0; };
    slider.addEventListener("input", () => { halt(); show(Number(slider.value)); });
    growth.querySelector(".play").addEventListener("click", () => {
      halt(); show(0);
      const pause = Math.max(60, Math.min(700, 5000 / frames.length));
      playing = setInterval(() => {
        const next = Number(slider.value) + 1;
        if (next < frames.length) show(next);
        if (next >= frames.length - 1) halt();
      }, pause);
    });
    show(frames.length - 1);
    addEventListener("beforeprint", () => { halt(); show(frames.length - 1); });
  }
  if (plots.length) drawAll(); else root.dataset.ready = "yes";
})();
