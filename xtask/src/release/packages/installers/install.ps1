<#
Installs the command noetl for one user, without administrator rights, or removes it.

usage: install.ps1 [-Version VERSION] [-To DIR] [-AddToPath] [-Uninstall] [-Help]
       irm URL-OF-THIS-FILE | iex
       & ([scriptblock]::Create((irm URL-OF-THIS-FILE))) [the same parameters]

NOETL_DOWNLOAD_URL names a mirror that has the files as vVERSION/FILE.
Exit codes: 0 done, 1 refused or failed (an installed noetl is unchanged), 2 wrong parameters.
#>
[CmdletBinding(PositionalBinding = $false)]
param(
    [string]$Version,
    [string]$To,
    [switch]$AddToPath,
    [switch]$Uninstall,
    [switch]$Help,
    [Parameter(ValueFromRemainingArguments = $true)]
    [string[]]$Unknown
)

# Windows PowerShell 5.1 reads a file without a mark as one of the old code page, so that this file is ASCII.
$NoetlVersion = '@VERSION@'
$NoetlRepository = '@REPOSITORY@'
$NoetlSums = @'
@SUMS@
'@
$NoetlUsage = 'usage: install.ps1 [-Version VERSION] [-To DIR] [-AddToPath] [-Uninstall] [-Help]'

function Write-NoetlLine([string]$Text) { [Console]::Error.WriteLine($Text) }

# Ends the script with an error, what mends it, and an exit code.
function Stop-Noetl([string]$Message, [string]$Mend, [int]$Code = 1) {
    $failure = New-Object InvalidOperationException $Message
    $failure.Data['help'] = $Mend
    $failure.Data['code'] = $Code
    throw $failure
}

function Show-NoetlHelp {
    Write-Output @"
$NoetlUsage

Installs noetl $NoetlVersion for one user, without administrator rights.

  -Version VERSION  install this version instead
  -To DIR           the folder; otherwise NOETL_INSTALL_DIR or %LOCALAPPDATA%\Programs\noetl
  -AddToPath        add the folder to the PATH of this user
  -Uninstall        remove noetl from that folder; data in .noetl of the home folder is left

NOETL_DOWNLOAD_URL names a mirror that has the files as vVERSION/FILE.
"@
}

function Get-NoetlTriple {
    if ($env:OS -ne 'Windows_NT') {
        Stop-Noetl 'this script is for Windows' "on Linux and macOS: curl -fsSL $base/v$Version/install.sh | sh"
    }
    # A 32-bit process is told its own kind first, and that of the system in the second variable.
    $cpu = $env:PROCESSOR_ARCHITEW6432
    if (-not $cpu) { $cpu = $env:PROCESSOR_ARCHITECTURE }
    switch ($cpu) {
        'AMD64' { return 'x86_64-pc-windows-gnu' }
        'ARM64' { return 'aarch64-pc-windows-gnullvm' }
    }
    Stop-Noetl "there is no build of noetl for Windows on $cpu" "see $NoetlRepository for other ways to install it"
}

function Get-NoetlBase {
    $url = "$NoetlRepository/releases/download"
    if ($env:NOETL_DOWNLOAD_URL) { $url = $env:NOETL_DOWNLOAD_URL }
    if ($url -notmatch '^https?://') {
        Stop-Noetl "NOETL_DOWNLOAD_URL is no https:// address: $url" 'remove NOETL_DOWNLOAD_URL, or name another mirror'
    }
    return $url.TrimEnd('/')
}

function Receive-NoetlFile([string]$Url, [string]$File) {
    Write-NoetlLine "downloading $Url"
    # Windows PowerShell 5.1 does not offer TLS 1.2 by itself on every system.
    $protocols = [Net.ServicePointManager]::SecurityProtocol
    [Net.ServicePointManager]::SecurityProtocol = $protocols -bor [Net.SecurityProtocolType]::Tls12
    for ($try = 1; ; $try++) {
        $client = New-Object Net.WebClient
        try {
            $client.DownloadFile($Url, $File)
            return
        } catch {
            $cause = $_.Exception
            while ($cause.InnerException -and $cause -isnot [Net.WebException]) { $cause = $cause.InnerException }
            if ($cause -is [Net.WebException] -and $cause.Response) {
                Stop-Noetl "the server did not send ${Url}: $($cause.Message)" `
                    "choose a version (-Version) of $NoetlRepository/releases"
            }
            if ($try -ge 3) {
                Stop-Noetl "cannot download ${Url}: $($cause.GetBaseException().Message)" `
                    'check the network, the free space and NOETL_DOWNLOAD_URL, and run this again'
            }
            Start-Sleep -Seconds $try
        } finally {
            $client.Dispose()
        }
    }
}

function Get-NoetlHash([string]$File) {
    $stream = [IO.File]::OpenRead($File)
    $sha256 = [Security.Cryptography.SHA256]::Create()
    try {
        return [BitConverter]::ToString($sha256.ComputeHash($stream)).Replace('-', '').ToLowerInvariant()
    } finally {
        $sha256.Dispose()
        $stream.Dispose()
    }
}

# Returns the hash that the lines of a SHA256SUMS have for a file name.
function Get-NoetlListedHash([string]$Sums, [string]$Name, [string]$List) {
    foreach ($line in $Sums -split "\r?\n") {
        if ($line -match '^([0-9a-fA-F]{64}) [ *](.+)$' -and $Matches[2] -ceq $Name) {
            return $Matches[1].ToLowerInvariant()
        }
    }
    Stop-Noetl "$List has no hash of $Name" "see $NoetlRepository/releases for the files of each version"
}

# Unpacks only the program, and not with Expand-Archive, which does not load where modules are restricted.
function Expand-NoetlProgram([string]$Archive, [string]$Entry, [string]$File) {
    Add-Type -AssemblyName 'System.IO.Compression', 'System.IO.Compression.FileSystem'
    $zip = [IO.Compression.ZipFile]::OpenRead($Archive)
    try {
        $found = $zip.GetEntry($Entry)
        if (-not $found) { Stop-Noetl "$Archive has no $Entry" "report it: $NoetlRepository/issues" }
        [IO.Compression.ZipFileExtensions]::ExtractToFile($found, $File, $true)
    } finally {
        $zip.Dispose()
    }
}

# Returns what a program prints for --version, and an empty text if it does not start.
function Get-NoetlOutput([string]$Program) {
    try { $output = "$(& $Program --version)" } catch { return '' }
    if ($LASTEXITCODE -eq 0) { return $output }
    return ''
}

# Refuses to touch what a package manager installed.
function Assert-NoetlOwner([string]$Program) {
    $owner = switch -Regex ($Program) {
        '\\scoop\\(shims|apps)\\' { 'scoop' }
        '\\WinGet\\(Links|Packages)\\' { 'winget' }
        '\\chocolatey\\' { 'choco' }
    }
    if ($owner -and (Test-Path -LiteralPath $Program)) {
        Stop-Noetl "$Program was installed with $owner" `
            "update or remove it with $owner, or choose another folder: -To DIR"
    }
}

# Removes what killed runs left; a run that still goes on keeps its folder.
function Remove-NoetlLeftovers([string]$Folder) {
    foreach ($left in @(Get-ChildItem -LiteralPath $Folder -Force -Filter '.noetl-install.*')) {
        $process = $left.Name.Substring('.noetl-install.'.Length) -as [int]
        if ($process -and $process -ne $PID -and (Get-Process -Id $process -ErrorAction SilentlyContinue)) { continue }
        Remove-Item -LiteralPath $left.FullName -Recurse -Force -ErrorAction SilentlyContinue
    }
}

# Renames the new program over the old one. Windows renames a program that runs, but does not overwrite it.
function Move-NoetlProgram([string]$New, [string]$Program, [string]$Backup) {
    if (-not (Test-Path -LiteralPath $Program)) {
        [IO.File]::Move($New, $Program)
        return
    }
    try {
        [IO.File]::Replace($New, $Program, $Backup)
    } catch {
        # It can also fail after it has moved the old program.
        if (Test-Path -LiteralPath $Program) { [IO.File]::Move($Program, $Backup) }
        try {
            [IO.File]::Move($New, $Program)
        } catch {
            [IO.File]::Move($Backup, $Program)
            throw
        }
    }
}

function Write-NoetlPath([string]$Folder) {
    if (($env:Path -split ';') -contains $Folder) { return }
    if (-not $AddToPath) {
        Write-NoetlLine "$Folder is not on the PATH; add it with -AddToPath, or for this window with this line:"
        Write-NoetlLine "    `$env:Path = '$($Folder.Replace("'", "''"));' + `$env:Path"
        return
    }
    # Read and written as it is stored: expanded, the parts such as %USERPROFILE% would be lost.
    $key = [Microsoft.Win32.Registry]::CurrentUser.OpenSubKey('Environment', $true)
    try {
        $path = [string]$key.GetValue('Path', '', 'DoNotExpandEnvironmentNames')
        if (($path -split ';') -notcontains $Folder) {
            $key.SetValue('Path', "$Folder;$path".TrimEnd(';'), 'ExpandString')
        }
    } finally {
        $key.Dispose()
    }
    # Setting any variable of the user tells the running programs that the environment has changed.
    [Environment]::SetEnvironmentVariable('NOETL_INSTALL_NOTICE', '1', 'User')
    [Environment]::SetEnvironmentVariable('NOETL_INSTALL_NOTICE', [NullString]::Value, 'User')
    $env:Path = "$Folder;$env:Path"
    Write-NoetlLine "added $Folder to the PATH of this user; windows opened from now on have it"
}

function Install-Noetl([string]$Folder, [string]$Program) {
    $base = Get-NoetlBase
    $stem = "noetl-v$Version-$(Get-NoetlTriple)"
    if (Test-Path -LiteralPath $Program -PathType Container) {
        Stop-Noetl "$Program is a folder" "remove it, or choose another folder: -To DIR"
    }
    Assert-NoetlOwner $Program
    [void][IO.Directory]::CreateDirectory($Folder)
    Remove-NoetlLeftovers $Folder
    # In the destination, so that the last step is a rename on one volume.
    $temporary = Join-Path $Folder ".noetl-install.$PID"
    [void][IO.Directory]::CreateDirectory($temporary)
    try {
        $sums = $NoetlSums
        $list = 'this script'
        if ($Version -cne $NoetlVersion) {
            $list = "$base/v$Version/SHA256SUMS"
            Receive-NoetlFile $list (Join-Path $temporary 'SHA256SUMS')
            $sums = [IO.File]::ReadAllText((Join-Path $temporary 'SHA256SUMS'))
        }
        $expected = Get-NoetlListedHash $sums "$stem.zip" $list
        $archive = Join-Path $temporary "$stem.zip"
        Receive-NoetlFile "$base/v$Version/$stem.zip" $archive
        $actual = Get-NoetlHash $archive
        if ($actual -cne $expected) {
            Stop-Noetl "$stem.zip has the SHA-256 $actual, expected $expected; nothing was installed" `
                "run this again; if the error stays, report it: $NoetlRepository/issues"
        }
        $new = Join-Path $temporary 'noetl.exe'
        Expand-NoetlProgram $archive "$stem/noetl.exe" $new
        $output = Get-NoetlOutput $new
        if (-not "$output ".StartsWith("noetl $Version ", 'Ordinal')) {
            Stop-Noetl "the new noetl does not start or is not ${Version}: '$output'; nothing was installed" `
                "report it: $NoetlRepository/issues"
        }
        $old = ''
        if (Test-Path -LiteralPath $Program) { $old = (Get-NoetlOutput $Program) -replace '^noetl (\S+).*$', '$1' }
        Move-NoetlProgram $new $Program (Join-Path $temporary 'old.exe')
    } finally {
        # An old program that still runs cannot be deleted; the next run does it.
        Remove-Item -LiteralPath $temporary -Recurse -Force -ErrorAction SilentlyContinue
    }
    if (-not $old) { Write-NoetlLine "noetl $Version is installed: $Program" }
    elseif ($old -ceq $Version) { Write-NoetlLine "noetl $Version was there and is installed again: $Program" }
    else { Write-NoetlLine "noetl $old -> ${Version}: $Program" }
    Write-NoetlPath $Folder
}

function Uninstall-Noetl([string]$Folder, [string]$Program) {
    if (-not (Test-Path -LiteralPath $Program)) {
        Stop-Noetl "there is no noetl.exe in $Folder" 'name the folder that has it: -Uninstall -To DIR'
    }
    Assert-NoetlOwner $Program
    if (-not (Get-NoetlOutput $Program).StartsWith('noetl ', 'Ordinal')) {
        Stop-Noetl "$Program does not say that it is NoETL, and is left" "to remove it: del `"$Program`""
    }
    try { [IO.File]::Delete($Program) } catch {
        Stop-Noetl "cannot remove ${Program}: $($_.Exception.GetBaseException().Message)" 'end noetl and run this again'
    }
    Remove-NoetlLeftovers $Folder
    Write-NoetlLine "removed $Program; data in $(Join-Path $HOME '.noetl') is left"
}

function Invoke-NoetlInstaller {
    if ($Help) { return Show-NoetlHelp }
    if ($Unknown) { Stop-Noetl "unknown parameter: $Unknown" $NoetlUsage 2 }
    $Version = $Version -replace '^v', ''
    if (-not $Version) { $Version = $NoetlVersion }
    if ($Version -notmatch '^[0-9][0-9A-Za-z.+-]*$') { Stop-Noetl "no version: $Version" $NoetlUsage 2 }
    if (-not $To) { $To = $env:NOETL_INSTALL_DIR }
    if (-not $To -and $env:LOCALAPPDATA) { $To = Join-Path $env:LOCALAPPDATA 'Programs\noetl' }
    if (-not $To) { Stop-Noetl 'LOCALAPPDATA is not set, so there is no default folder' 'name a folder: -To DIR' }
    $folder = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($To)
    $program = Join-Path $folder 'noetl.exe'
    if ($Uninstall) { Uninstall-Noetl $folder $program } else { Install-Noetl $folder $program }
}

# Returns the exit code. The settings end with this function, which matters after `iex` in a user's own window.
function Start-NoetlInstaller {
    Set-StrictMode -Version 2.0
    $ErrorActionPreference = 'Stop'
    $ProgressPreference = 'SilentlyContinue'
    try {
        Invoke-NoetlInstaller | Out-Host
        return 0
    } catch {
        $failure = $_.Exception
        $mend = $failure.Data['help']
        if (-not $mend) { $mend = "choose another folder (-To DIR), or report it: $NoetlRepository/issues" }
        Write-NoetlLine "error: $($failure.GetBaseException().Message)"
        Write-NoetlLine "help: $mend"
        if ($failure.Data['code']) { return $failure.Data['code'] }
        return 1
    }
}

# Only a script that is a file may use `exit`: after `iex` it would close the user's window.
$NoetlCode = Start-NoetlInstaller
if ($PSCommandPath) { exit $NoetlCode } elseif ($NoetlCode) { throw 'noetl was not installed' }
