// Looks at mails in Chromium: axe-core finds no violation, nothing needs to be scrolled sideways, and nothing is fetched.
// Arguments: browser, a new directory for its profile, a directory for screenshots or "-", and the mails' directories.
import { mkdirSync } from "node:fs";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import axe from "axe-core";
import puppeteer from "puppeteer-core";

const [browserPath, profile, screenshots, ...mails] = process.argv.slice(2);
const WIDTHS = [360, 700];
const SCHEMES = ["light", "dark"];
let faults = 0;

function fault(where, what) {
    console.error(`${where}: ${what}`);
    faults += 1;
}

async function look(browser, mail, width, scheme) {
    const name = `${basename(mail)}-${width}-${scheme}`;
    const page = await browser.newPage();
    page.on("request", (request) => {
        if (!/^(file|data):/.test(request.url())) fault(name, `fetches ${request.url()}`);
    });
    page.on("requestfailed", (request) => fault(name, `lacks ${request.url()}`));
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    await page.setViewport({ width, height: 900 });
    await page.goto(pathToFileURL(join(mail, "html.html")).href);

    await page.evaluate(axe.source);
    const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
    // A page that did not load has few rules to pass.
    if (passes.length < 10) fault(name, `only ${passes.length} rules of axe-core apply`);
    for (const { id, help, nodes } of violations) {
        for (const node of nodes) fault(name, `${id}: ${help}\n    ${node.html}\n    ${node.failureSummary}`);
    }

    const wide = await page.evaluate(() => {
        const { scrollWidth, clientWidth } = document.documentElement;
        if (scrollWidth <= clientWidth) return undefined;
        // Text may stick out of an element that does not.
        const beyond = (element) => element.getBoundingClientRect().left + element.scrollWidth > clientWidth + 0.5;
        const elements = [...document.querySelectorAll("body *")].filter(beyond);
        const innermost = elements.filter((element) => ![...element.children].some(beyond));
        return [`${scrollWidth} px`, ...innermost.map((element) => element.outerHTML.slice(0, 160))].join("\n    ");
    });
    if (wide) fault(name, `wider than the screen: ${wide}`);

    if (screenshots !== "-") await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
    await page.close();
}

if (screenshots !== "-") mkdirSync(screenshots, { recursive: true });
const browser = await puppeteer.launch({
    executablePath: browserPath,
    userDataDir: profile,
    headless: true,
    args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND",
    ],
});
try {
    for (const mail of mails) {
        for (const width of WIDTHS) {
            for (const scheme of SCHEMES) await look(browser, mail, width, scheme);
        }
    }
} finally {
    await browser.close();
}
process.exitCode = faults > 0 ? 1 : 0;
