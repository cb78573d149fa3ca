class OpenDrawer:
    variations = 3
    state = 4

    def descriptions(self, variation):
        return [f"open {('bottom', 'middle', 'top')[variation]} drawer"]
