# Signs programs or the installer. NOT RUN YET: needs a certificate and Windows.
#   packaging\windows\sign.ps1 -Files build\bundle\segue\segue.exe,build\bundle\segue\segue-cli.exe
# Settings (environment): SEGUE_CERTIFICATE, a .pfx file; SEGUE_CERTIFICATE_PASSWORD; without a
# certificate nothing is signed and it says so, and Windows will warn whoever opens the download.
param([Parameter(Mandatory = $true)][string[]]$Files)
$ErrorActionPreference = "Stop"
if (-not $env:SEGUE_CERTIFICATE) {
    Write-Host "segue: no certificate, so nothing is signed."
    exit 0
}
$kits = "${env:ProgramFiles(x86)}\Windows Kits\10\bin"
$tool = Get-ChildItem -Path $kits -Recurse -Filter signtool.exe |
    Where-Object { $_.FullName -match "x64" } | Sort-Object FullName | Select-Object -Last 1
if (-not $tool) { throw "signtool.exe is not here: install the Windows SDK." }
foreach ($file in $Files) {
    & $tool.FullName sign /fd SHA256 /td SHA256 /tr http://timestamp.digicert.com `
        /f $env:SEGUE_CERTIFICATE /p $env:SEGUE_CERTIFICATE_PASSWORD $file
    if ($LASTEXITCODE -ne 0) { throw "$file could not be signed." }
    & $tool.FullName verify /pa $file
    if ($LASTEXITCODE -ne 0) { throw "the signature of $file does not hold." }
}
