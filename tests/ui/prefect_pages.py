"""Pages of the Prefect UI, as a user works with them."""

from __future__ import annotations


class RunForm:
    """The form that starts a run of a deployment.

    Args:
        page: A page of the browser.
        server: URL of the Prefect server.
        deployment: The deployment's identifier.
    """

    def __init__(self, page, server, deployment):
        self._page = page
        page.goto(f"{server}/deployments/deployment/{deployment}/run")
        page.locator(".schema-form-property").first.wait_for()

    def field(self, label, within=None):
        """A parameter by its label, or the fields of that label within one."""
        texts = " or ".join(f"normalize-space(.)='{label}{more}'" for more in ("", " (Optional)"))
        property_ = "contains(concat(' ',@class,' '),' schema-form-property ')"
        alone = "" if within else f"[not(ancestor::*[{property_}])]"
        return (within or self._page).locator(
            f"xpath=.//*[contains(@class,'schema-form-property__label')][{texts}]"
            f"/ancestor::*[{property_}][1]{alone}"
        )

    def fill(self, label, value, within=None):
        """Fill a field in by hand, whatever is typed into it."""
        field = within or self.field(label)
        text = field.get_by_role("button", name="str", exact=True)
        if within is None and text.count():  # it has none until the user says that it is a text
            text.click()
        kind = "textbox" if isinstance(value, str) else "spinbutton"
        field.get_by_role(kind).fill(str(value))

    def choose(self, label, option, within=None):
        """Choose from a drop-down."""
        self._open(within or self.field(label))
        self._page.locator(".p-select-option").get_by_text(option, exact=True).click()

    def options(self, label):
        """What a drop-down offers."""
        self._open(self.field(label))
        options = self._page.locator(".p-select-option")
        options.first.wait_for()
        texts = [text.strip() for text in options.all_inner_texts()]
        self._page.keyboard.press("Escape")
        options.first.wait_for(state="hidden")
        return texts

    def add_hyperparameter(self, argument, **entry):
        """Add an entry to a search space, one by one."""
        space = self.field(argument)
        self._add_item(space)
        last = {
            name: self.field(name, space).last
            for name in ("name", "type", "low", "high", "log", "choices")
        }
        self.fill("name", entry["name"], last["name"])
        self.choose("type", entry["type"], last["type"])
        for name in ("low", "high"):
            if name in entry:
                self.fill(name, entry[name], last[name])
        if entry.get("log"):
            last["log"].get_by_role("switch").click()
        for choice in entry.get("choices", ()):
            self._add_item(last["choices"])
            last["choices"].get_by_role("textbox").last.fill(choice)

    def submit(self):
        """Start the run; it is the UI's word that it did."""
        self._page.get_by_role("button", name="Submit").click()

    def _open(self, field):
        # By keyboard: a click that also gives it the focus opens and closes it at once.
        field.locator(".p-select-button__control").press("Space")

    def _add_item(self, field):
        # Entries may have lists of their own, whose buttons come before.
        field.get_by_role("button", name="Add item").last.click()
