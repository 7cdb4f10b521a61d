// The rules for mails: all that html-validate recommends, except what mail programs require otherwise.
module.exports = {
    root: true,
    extends: ["html-validate:recommended"],
    rules: {
        "prefer-tbody": "error",
        // Gmail and Outlook drop style sheets, wholly or in part: a style must stand at its element.
        "no-inline-style": "off",
        // Outlook on Windows lays out with Word: it obeys these attributes of tables, and not the styles.
        "no-deprecated-attr": "off",
        // The title is the headline; its length is the author's business, and "release check" warns of a long subject.
        "long-title": "off",
        // Mail programs remove <main> or make it a <div>; they keep the role.
        "prefer-native-element": ["error", { exclude: ["main"] }],
    },
};
