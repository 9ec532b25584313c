// Begin: the table, the charts, and the input that the address names.

function currentPlace() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}

function followAddress() {
  const row = rowAt.get(currentPlace());
  if (row !== undefined) openInput(row);
  else if (dialog.open) dialog.close();
}

startCharts();
startTable();
addEventListener("hashchange", followAddress);
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("main details:not(.chart details), dialog details:not(.chart details)")) part.open = true;
  fitToPaper();
});
addEventListener("afterprint", fitToScreen);
followAddress();
